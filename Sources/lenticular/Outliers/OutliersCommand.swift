import ArgumentParser
import AstroIO
import Datasets
import Foundation
import Inference
import Outliers
import Pipelines
import Tensors

struct OutliersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outliers",
        abstract: "Rank images by how unusual they are.",
        discussion: """
            Takes folders and image files, a table or list that names files, or a run folder, whose embeddings are used as they are. \
            Writes OUT/catalog.fits and .ecsv (score, rank, percentile, nearest neighbours), contact_sheet.png, scores.png, \
            fitted.safetensors (the method with the archive, one file), failures.ecsv and provenance.json.

              lenticular outliers IMAGES --method attcae -o ARCHIVE
              lenticular outliers TONIGHT --fitted ARCHIVE/fitted.safetensors -o NIGHT

            The second line scores other images against the archive of the first. Images that are blank, saturated or mostly \
            without data are in the catalog with flags and rank 0.

            Exit status: 0 all images used; 3 finished, some could not be read; 130 interrupted: the same command continues the \
            training.
            """)

    @Argument(help: "Folders, image files, tables or lists of files, or one run folder.")
    var input: [String]

    @OptionGroup var options: OutlierOptions

    @Option(help: ArgumentHelp("Score by this method and archive instead of fitting one.", valueName: "file"))
    var fitted: String?

    @Option(help: "Thumbnails in the contact sheet.")
    var sheet = 64

    @Option(help: ArgumentHelp("Explain the most unusual objects, one PNG each.", valueName: "N"))
    var explain = 0

    @Option(name: .shortAndLong, help: "Folder for the results.")
    var output: String

    @Flag(help: "Replace earlier results in the same folder.")
    var overwrite = false

    @Flag(name: .shortAndLong, help: "No progress bar and no summary.")
    var quiet = false

    func validate() throws {
        guard (1...2000).contains(sheet), (0...1000).contains(explain) else {
            throw ValidationError("--sheet: expected 1 … 2000; --explain: 0 … 1000")
        }
    }

    func run() throws {
        let interruption = Interruption()
        let input = try OutlierInput(self.input)
        let results = OutlierResults(folder: output)
        try results.prepare(overwrite: overwrite)
        let session = OutlierSession(
            options: options, fittedPath: fitted, workFolder: results.work, quiet: quiet, interruption: interruption)
        guard let answer = try session.judge(input) else {
            print("Interrupted; the same command continues.")
            throw ExitCode(130)
        }
        let (objects, method) = (answer.objects, answer.fitted)
        let failures = input.missing + answer.failures
        let pictures = StampPictures(method.encoder.normalization)
        try results.writeCatalog(objects, method, comparesWithArchive: fitted != nil)
        try ResultFiles.writeFailures(failures, in: results.folder)
        try results.draw(
            objects, title: "Outliers of \(self.input.joined(separator: ", ")) by \(method.settings.method.rawValue)",
            count: sheet, pictures: pictures)
        if fitted == nil {
            try method.save(
                to: results.fitted, backbone: answer.backbone,
                metadata: ["creator": "lenticular \(ProgramVersion.current)"])
            try? FileManager.default.removeItem(atPath: results.work)
        }
        if explain > 0 {
            try OutlierExplanation(method, pictures: pictures)
                .draw(objects.filter { (1...explain).contains($0.rank) }, into: output + "/explained")
        }
        let defects = objects.count { !$0.row.isUsable }
        try ResultFiles.writeProvenance(
            [
                "method": method.settings.method.rawValue, "k": "\(method.settings.k)",
                "metric": method.settings.metric.rawValue, "standardise": "\(method.settings.standardise)",
                "seed": "\(method.settings.seed)", "objects": "\(objects.count)", "archive": "\(method.members.count)",
                "defects": "\(defects)", "failures": "\(failures.count)",
            ], in: results.folder)
        if !quiet { summary(objects, defects: defects, failures: failures.count) }
        if !failures.isEmpty { throw ExitCode(3) }
    }

    private func summary(_ objects: [JudgedObject], defects: Int, failures: Int) {
        print(
            "\(objects.count { $0.rank > 0 }) objects ranked, \(defects) not ranked (defects, see flags), \(failures) could not be read."
        )
        let table = TextTable([
            .init("rank", 4, right: true), .init("score", 9, right: true), .init("object", 32), .init("nearest", 0),
        ])
        print(table.head)
        for object in objects.filter({ (1...5).contains($0.rank) }).sorted(by: { $0.rank < $1.rank }) {
            print(
                table.row([
                    String(object.rank), significant(object.score), object.row.object.id,
                    object.judgement?.distances.first.map { significant($0) } ?? "",
                ]))
        }
        print(
            """
              \(output)/contact_sheet.png          the most unusual
              \(output)/catalog.fits, catalog.ecsv   a row an object
            """)
        if fitted == nil { print("  \(output)/fitted.safetensors         scores other images: --fitted") }
    }
}
