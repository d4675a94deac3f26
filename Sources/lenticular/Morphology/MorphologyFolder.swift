import ArgumentParser
import AstroIO
import Datasets
import Foundation
import Inference
import Models
import Pipelines
import Training

/// The run folder of a morphology training.
struct MorphologyFolder {
    let path: String

    /// - Parameter resumable: whether a folder with a checkpoint may be continued.
    init(_ path: String, overwrite: Bool, resumable: Bool) throws {
        self.path = path
        let files = FileManager.default
        if files.fileExists(atPath: path + "/model.safetensors") {
            guard overwrite else {
                throw ValidationError("\(path) holds a trained model; choose another folder or say --overwrite")
            }
            for name in [
                "model.safetensors", "checkpoint.safetensors", "best.safetensors", "validation.csv", "loss.csv",
            ]
            where files.fileExists(atPath: "\(path)/\(name)") {
                try files.removeItem(atPath: "\(path)/\(name)")
            }
        }
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// What metrics.json holds.
    struct Report: Encodable {
        var program = "lenticular \(ProgramVersion.current)"
        var commandLine = CommandLine.arguments
        var mode: String
        var backbone: String
        var backboneSha256: String
        var target: String
        var images: Int
        var counts: [String: Double]
        var train: Int
        var test: Int
        var seed: UInt64
        var calibration: MorphologyCalibration
        var seconds: Double
        var headSamplesPerSecond: Double?
        var unlabelledRows: Int
        var unlabelledImages: Int
        var repeatedRows: Int
        var failures: Int
        var evaluation: MorphologyEvaluation?
    }

    /// Writes model, metrics, predictions, failures and figures.
    func write(
        _ trained: TrainedMorphology, session: MorphologySession, mode: String, seed: UInt64, quiet: Bool
    ) throws {
        let labels = session.labels
        let split = trained.split
        let truths = split.test.map { labels.value($0) }
        let training = split.train.map { labels.value($0) }
        var figures: [String] = []
        var evaluation: MorphologyEvaluation?
        if !split.test.isEmpty {
            evaluation = MorphologyEvaluation(
                labels.target, answers: trained.answers, truths: truths, training: training)
            figures = try MorphologyFigures(
                labels.target,
                MorphologyCurves(labels.target, answers: trained.answers, truths: truths, training: training)
            ).write(to: path)
            try predictions(trained, labels).write(to: path + "/predictions.ecsv")
        }
        if !session.allFailures.isEmpty { try failures(session.allFailures).write(to: path + "/failures.ecsv") }
        let report = Report(
            mode: mode, backbone: session.backboneName, backboneSha256: session.backboneDigest,
            target: labels.target.kind, images: labels.count,
            counts: Dictionary(zip(labels.target.names, labels.counts)) { first, _ in first }, train: split.train.count,
            test: split.test.count, seed: seed, calibration: trained.classifier.configuration.calibration,
            seconds: trained.seconds, headSamplesPerSecond: trained.samplesPerSecond,
            unlabelledRows: labels.unlabelledRows, unlabelledImages: labels.unlabelledImages,
            repeatedRows: labels.repeatedRows, failures: session.failures, evaluation: evaluation)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let metrics = try encoder.encode(report)
        try (metrics + Data("\n".utf8)).write(to: URL(fileURLWithPath: path + "/metrics.json"), options: .atomic)
        try trained.classifier.save(
            to: path + "/model.safetensors",
            metadata: [
                "creator": "lenticular \(ProgramVersion.current)",
                "training": "\(mode), \(split.train.count) images, seed \(seed)",
            ])
        if !quiet { print(summary(report, figures)) }
    }

    private func predictions(_ trained: TrainedMorphology, _ labels: MorphologyLabels) throws -> Catalog {
        let test = trained.split.test
        var columns = [
            Column("id_str", .string(test.map { labels.objects[$0].id }), ucd: "meta.id;meta.main"),
            Column("file_loc", .string(test.map { labels.objects[$0].paths.joined(separator: ";") })),
        ]
        if case .classes(let names) = labels.target {
            columns.append(
                Column("true_class", .string(test.map { names[Int(labels.values[$0])] }), description: "As labelled"))
        } else {
            for (place, name) in labels.target.names.enumerated() {
                columns.append(
                    Column(
                        "true_\(name)", .float(test.map { labels.values[$0 * labels.width + place] }),
                        description: "As labelled, or votes"))
            }
        }
        columns += MorphologyTable.columns(labels.target, trained.answers)
        return try Catalog(name: "PREDICTIONS", columns: columns)
    }

    private func failures(_ rows: [LabelFailure]) throws -> Catalog {
        try Catalog(
            name: "FAILURES",
            columns: [
                Column(
                    "row", .int32(rows.map { $0.row > 0 ? Int32($0.row) : nil }),
                    description: "Row of the table of labels"),
                Column("id_str", .string(rows.map(\.id)), ucd: "meta.id;meta.main"),
                Column(
                    "reason", .string(rows.map(\.reason)), ucd: "meta.note", description: "Why it could not be used"),
            ])
    }

    private func summary(_ report: Report, _ figures: [String]) -> String {
        var lines = [
            "\(report.images) images (\(report.train) to train, \(report.test) to judge); \(report.unlabelledRows) rows without a label, "
                + "\(report.unlabelledImages) images without a row, \(report.repeatedRows) repeated rows, \(report.failures) failures"
                + (report.failures > 0 ? " (\(path)/failures.ecsv)" : "")
        ]
        if let speed = report.headSamplesPerSecond {
            lines.append("head trained in \(fixed(report.seconds, 1)) s, \(Int(speed)) samples a second")
        }
        if let evaluation = report.evaluation {
            let shown = [
                "accuracy", "balanced_accuracy", "auc", "f1", "log_loss", "calibration_error", "rmse", "rmse_baseline",
            ]
            let names = shown.filter { name in evaluation.groups.contains { $0.metrics[name] != nil } }
            let table = TextTable(
                [.init("", 24), .init("images", 6, right: true)] + names.map { .init($0, 20, right: true) })
            lines.append(table.head)
            for group in evaluation.groups {
                lines.append(
                    table.row(
                        [group.name, "\(group.images)"]
                            + names.map { name in
                                group.metrics[name].map {
                                    "\(fixed($0.value, 3)) [\(fixed($0.low, 3)), \(fixed($0.high, 3))]"
                                } ?? ""
                            }))
            }
        }
        lines.append(
            "  \(path)/model.safetensors  the model: lenticular classify IMAGES --model \(path)/model.safetensors -o OUT"
        )
        lines.append(
            "  \(path)/metrics.json, predictions.ecsv\(figures.isEmpty ? "" : ", ")\(figures.joined(separator: ", "))")
        return lines.joined(separator: "\n")
    }
}
