import ArgumentParser
import Foundation
import ImageProcessing
import Inference
import Pipelines
import Training

struct DetectionBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detection",
        abstract:
            "Precision, recall, completeness and purity of the network and of classical extraction on simulated fields.",
        discussion: """
            Two sets of fields, made with a seed that training does not use: fields as different as surveys are (the table), and \
            fields of one survey (the curves against magnitude). The folder gets scores.json, precision_recall.png, \
            completeness.png, completeness_magnitude.png and purity_magnitude.png.

              lenticular bench detection --fields 100 -o bench
            """)

    @Option(name: .shortAndLong, help: "Folder for figures.")
    var output: String

    @Option(help: "Detection network: a path, or a name below data/models.")
    var model = "detection"

    @Option(help: "Fields of each set.")
    var fields = 100

    @Option(help: "Side of a field, pixels.")
    var size = 256

    @Option(help: "Seed of the fields.")
    var seed: UInt64 = 20_261_124

    @Option(help: "Signal-to-noise ratio of a matched filter from which on sources are asked for.")
    var minimumSignificance = 5.0

    @Option(help: "Thresholds of classical extraction, in units of the noise.")
    var sepThresholds = "1.5,2,3"

    @Option(help: "Threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    /// A row of the table.
    private struct Row: Encodable {
        var fields: String
        var method: String
        var criterion: String
        var scores: DetectionScores
        var secondsPerMegapixel: Double
    }

    func validate() throws {
        guard fields > 0, (64...2048).contains(size), workers > 0, minimumSignificance > 0, thresholds != nil else {
            throw ValidationError(
                "fields, workers and significance must be positive, the size 64 … 2048, thresholds numbers above 0")
        }
    }

    private var thresholds: [Double]? {
        let numbers = sepThresholds.split(separator: ",").map { Double($0) ?? 0 }
        return numbers.allSatisfy { $0 > 0 } && !numbers.isEmpty ? numbers : nil
    }

    func run() throws {
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let network = try SourceDetector.network(path: InstalledFiles.model(named: model), workers: 1)
        let methods =
            [DetectionBenchmark.Method("network", network)]
            + (thresholds ?? []).map { .init("SEP \($0) σ", .sep(.init(threshold: $0))) }
        // Curves of precision against recall need what the network is less sure of, too.
        let eager = try SourceDetector.network(path: InstalledFiles.model(named: model), workers: 1, threshold: 0.05)
        let columns: [TextTable.Column] = [
            .init("fields", 7), .init("method", 10), .init("criterion", 18), .init("precision", 22),
            .init("recall", 22), .init("F1", 22), .init("AP", 6, right: true), .init("s/Mpixel", 8, right: true),
        ]
        let table = TextTable(columns)
        print(table.head)
        var rows: [Row] = []
        for isSurvey in [false, true] {
            let benchmark = DetectionBenchmark(
                seed: seed, count: fields, size: size, minimumSignificance: minimumSignificance, isSurvey: isSurvey)
            let set = isSurvey ? "survey" : "varied"
            let progress = Progress("\(set) fields", total: fields, unit: "fields", enabled: !quiet)
            let outcomes = try benchmark.run(methods + [.init("eager", eager)], workers: workers) {
                progress.update($0)
            }
            progress.finish(fields)
            for (criterion, entry) in DetectionBenchmark.criteria.enumerated() {
                for (index, method) in methods.enumerated() {
                    let own = outcomes[index].map { $0.matchings[criterion] }
                    var scores = DetectionScores(own)
                    if index == 0 {
                        scores.averagePrecision =
                            DetectionScores(outcomes[methods.count].map { $0.matchings[criterion] }).averagePrecision
                    }
                    let seconds = outcomes[index].reduce(0) { $0 + $1.seconds } / Double(fields * size * size) * 1e6
                    rows.append(
                        Row(
                            fields: set, method: method.name, criterion: entry.name, scores: scores,
                            secondsPerMegapixel: seconds))
                    print(
                        table.row([
                            set, method.name, entry.name, text(scores.precision), text(scores.recall), text(scores.f1),
                            fixed(scores.averagePrecision.value, 3), fixed(seconds, 2),
                        ]))
                }
            }
            try draw(methods, outcomes, isSurvey)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        try encoder.encode(rows).write(to: URL(fileURLWithPath: output + "/scores.json"), options: .atomic)
    }

    private func text(_ estimate: DetectionScores.Estimate) -> String {
        "\(fixed(estimate.value, 3)) (\(fixed(estimate.lower, 3))–\(fixed(estimate.upper, 3)))"
    }

    private func draw(
        _ methods: [DetectionBenchmark.Method], _ outcomes: [[DetectionBenchmark.Outcome]], _ isSurvey: Bool
    ) throws {
        func curves(
            _ curve: ([DetectionBenchmark.Outcome]) -> DetectionCurves.Curve
        ) -> [(name: String, curve: DetectionCurves.Curve)] {
            methods.indices.map { (methods[$0].name, curve(outcomes[$0])) }
        }
        guard isSurvey else {
            // The last of the outcomes are the network's with a low threshold.
            let lists =
                [("network", outcomes[methods.count])]
                + methods.indices.dropFirst().map { (methods[$0].name, outcomes[$0]) }
            try DetectionFigures.precisionRecall(
                lists.map { (name: $0.0, matchings: $0.1.map { $0.matchings[0] }) },
                title: "Segments of IoU ≥ 0.5, sources of S/N ≥ \(fixed(minimumSignificance, 1))",
                to: output + "/precision_recall.png")
            let edges = stride(from: 0.4, through: 3.01, by: 0.2).map { pow(10, $0) }
            try DetectionFigures.shares(
                curves { list in
                    DetectionCurves.completeness(
                        list.map { ($0.complete, $0.truth) }, edges: edges, threshold: -.infinity
                    ) { $0.significance }
                }, title: "Completeness, varied fields", xLabel: "signal-to-noise ratio of a matched filter",
                yLabel: "share found", isLogarithmic: true, to: output + "/completeness.png")
            return
        }
        let edges = stride(from: 17, through: 26.01, by: 0.5).map { $0 }
        try DetectionFigures.shares(
            curves { list in
                DetectionCurves.completeness(
                    list.map { ($0.complete, $0.truth) }, edges: edges, threshold: -.infinity
                ) { $0.magnitude }
            }, title: "Completeness, simulated survey", xLabel: "r, AB mag", yLabel: "share found",
            to: output + "/completeness_magnitude.png")
        try DetectionFigures.shares(
            curves { list in
                DetectionCurves.purity(list.map { $0.matchings[2] }, edges: edges, threshold: -.infinity)
            }, title: "Purity, simulated survey", xLabel: "measured r, AB mag", yLabel: "share that are true sources",
            to: output + "/purity_magnitude.png")
    }
}
