import ActiveLearning
import ArgumentParser
import AstroIO
import Foundation
import Labeling
import Pipelines

struct LabelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "labels", abstract: "Labels of a run: out, in, and how far they are.",
        subcommands: [LabelsExportCommand.self, LabelsImportCommand.self, LabelsStatsCommand.self])
}

struct LabelsExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the labels of a run as a table.",
        discussion: """
            The name's ending says the format: .csv, .ecsv, .fits, .vot. Forms: votes (as Galaxy Zoo publishes them), answers, \
            astronomaly, anomalymatch. --catalog writes the run's catalog with people's and the model's answers side by side.

              lenticular labels export RUN -o votes.fits
              lenticular labels export RUN --catalog -o catalog-with-labels.fits
            """)

    @Argument(help: "Run folder.")
    var folder: String

    @Option(help: "Task; the only one there is by default.")
    var task: String?

    @Option(help: "What to write: \(LabelFileForm.allCases.map(\.rawValue).joined(separator: ", ")).")
    var form = "votes"

    @Flag(help: "Write the run's catalog with labels.")
    var catalog = false

    @Option(name: .shortAndLong, help: "File to write.")
    var output: String

    func validate() throws {
        if LabelFileForm(rawValue: form) == nil { throw ValidationError("--form: there is no '\(form)'") }
    }

    func run() throws {
        let store = try LabelFolder.store(folder)
        let task = try LabelFolder.task(task, in: store)
        let table =
            catalog
            ? try LabelledCatalog(store, task: task).joined(to: try RunObjects.catalog(RunFolder(path: folder)))
            : try LabelExport(store, task: task).table(LabelFileForm(rawValue: form)!)
        try table.write(to: output)
        print("\(output): \(table.rowCount) rows, \(table.columns.count) columns")
    }
}

struct LabelsImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Read labels that were given elsewhere.",
        discussion: """
            The columns say the form: human_label (Astronomaly), filename and label (AnomalyMatch), question and answer, or \
            counts such as smooth-or-featured_smooth_count. Rows that cannot be used are named.

            Exit status: 0 all rows used; 3 some rows were bad; 1 nothing could be read.
            """)

    @Argument(help: "Run folder.")
    var folder: String

    @Argument(help: "Table with the labels.")
    var table: String

    @Option(help: "Task; the only one there is by default.")
    var task: String?

    @Option(help: "Who gave the labels, where the table does not say.")
    var labeller = "import"

    func run() throws {
        let store = try LabelFolder.store(folder)
        let result = try LabelImport(store, task: try LabelFolder.task(task, in: store), labeller: labeller).read(table)
        print(
            "\(table) (\(result.form.rawValue)): \(result.imported) answers, \(result.unlabelled) rows without a label, \(result.bad.count) bad rows"
        )
        for row in result.bad {
            FileHandle.standardError.write(Data("\(table), row \(row.row), \(row.id): \(row.reason)\n".utf8))
        }
        if !result.bad.isEmpty { throw ExitCode(3) }
    }
}

struct LabelsStatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "How far the labels of a run are, and how well people agree.")

    @Argument(help: "Run folder.")
    var folder: String

    @Option(help: "Task; all there are by default.")
    var task: String?

    func run() throws {
        let store = try LabelFolder.store(folder)
        let names = try task.map { [try store.task($0).name] } ?? store.tasks().map(\.name)
        for name in names {
            let statistics = try store.statistics(task: name)
            func number(_ value: Double, _ digits: Int) -> String {
                value.isFinite ? fixed(value, digits) : "not known"
            }
            let model = try store.models(task: name).last(where: \.isActive)
            print(
                """
                \(name)
                  queue               \(statistics.queued) objects, \(statistics.retired) retired
                  labelled            \(statistics.labelled) objects, \(statistics.answers) answers by \(statistics.labellers) people
                  rate                \(number(statistics.answersPerHour, 0)) answers an hour
                  agreement           Fleiss' kappa \(number(statistics.fleissKappa, 3))
                  as the model        \(statistics.agreed) of \(statistics.compared) (\(number(100 * statistics.agreementWithModel, 1)) %)
                  model               \(model.map { "version \($0.version), held-out AUC \(number($0.auc, 3))" } ?? "none yet")
                """)
        }
    }
}
