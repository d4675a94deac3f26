import ActiveLearning
import ArgumentParser
import AstroIO
import Figures
import Foundation
import ImageProcessing
import Models
import Pipelines
import Tensors
import Training

struct LoopBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hitl",
        abstract: "What the order of the queue is worth: AUC against the number of answers of a simulated person.",
        discussion: """
            The person gives the true class, but for a stated share of mistakes. After each number of answers an ensemble of \
            heads learns from them and orders the queue, as 'lenticular learn' does. --anomaly asks how many of a rare class are \
            found in some cycles of review. Writes loop.ecsv and loop.png, and anomalies.ecsv.

              lenticular bench hitl --labels labels.csv --column class5 --anomaly spiral -o OUT
            """)

    @OptionGroup var data: MorphologyDataOptions

    @Option(help: "Strategies to compare, with semicolons between them; each as for 'queue build'.")
    var strategies = "random;entropy;margin;bald;diversity;mix"

    @Option(help: "Numbers of answers after which the model learns.")
    var counts = "10,20,30,40,60,80,100,150,200,300,400"

    @Option(help: "Runs of each strategy.")
    var seeds = 5

    @Option(help: "Share of wrong answers.")
    var error = 0.05

    @Option(help: "Part of the images that judges.")
    var testShare = 0.3

    @Option(help: "AUC that is to be reached.")
    var goal = 0.9

    @Option(help: "Class that is the anomaly in the second measurement; none by default.")
    var anomaly: String?

    @Option(help: "Labelled anomalies at its start.")
    var anomalies = 8

    @Option(help: "Answers in each of its three cycles.")
    var cycleAnswers = 60

    @Option(help: "Steps of a head's training; those of 'learn' by default.")
    var steps = HeadEnsemble.Settings().steps

    @Option(help: "How small a head's weights are kept; as 'learn' does by default.")
    var strength = HeadEnsemble.Settings().strength

    @Option(help: "Views of an image that the vectors are averaged over: 1, 4 or 8.")
    var views = 1

    @Option(help: "Arithmetic of the backbone's products: float32 or bfloat16.")
    var precision: Precision = .bfloat16

    @Option(help: "Runs at a time.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(name: .shortAndLong, help: "Folder for the results.")
    var output: String

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    func validate() throws {
        try data.validate()
        if data.column == nil { throw ValidationError("expected classes: say --column") }
        let numbers = counts.split(separator: ",").map { Int($0) ?? 0 }
        guard numbers.count > 1, numbers.allSatisfy({ $0 > 1 }),
            zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 })
        else { throw ValidationError("--counts: expected rising numbers of 2 and more") }
        guard seeds > 0, workers > 0, (0..<0.5).contains(error), (0.05...0.9).contains(testShare),
            [1, 4, 8].contains(views), steps > 0, strength > 0, anomalies > 1, cycleAnswers > 1
        else {
            throw ValidationError(
                "expected seeds and workers of 1 and more, an error below 0.5, a test share from 0.05 to 0.9, 1, 4 or 8 views, steps and strength above 0, 2 and more anomalies and answers a cycle"
            )
        }
    }

    func run() throws {
        let mixes = try strategies.split(separator: ";").map { text in
            (name: String(text), mix: try StrategyMix(String(text)))
        }
        var session = try data.session(
            precision: precision, workers: workers, splitColumn: nil, minimumPerClass: 4, quiet: quiet)
        try session.readFeatures(views: views)
        let (features, classes) = (session.features!, session.labels.target.names)
        let labels = (0..<session.labels.count).map { Int(session.labels.value($0).first!) }
        let numbers = counts.split(separator: ",").map { Int($0)! }
        let pool = labels.count - Int(Double(labels.count) * testShare)
        guard numbers.last! <= pool else {
            throw ValidationError("--counts: there are \(pool) images to ask about, fewer than \(numbers.last!)")
        }
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        var simulation = LoopSimulation(
            features: features, labels: labels, classes: classes, counts: numbers, error: error, testShare: testShare)
        (simulation.heads.steps, simulation.heads.strength) = (steps, strength)
        let total = mixes.count * seeds
        let progress = Progress("asking  ", total: total, unit: "runs", enabled: !quiet)
        let runs = try simulation.run(mixes, seeds: seeds, workers: workers) { progress.update($0) }
        progress.finish(total)
        try report(runs, names: mixes.map(\.name), numbers, images: labels.count, classes: classes.count)
        if let anomaly {
            guard let place = classes.firstIndex(of: anomaly) else {
                throw ValidationError(
                    "--anomaly: there is no class '\(anomaly)', only \(classes.joined(separator: ", "))")
            }
            try findAnomalies(features, labels.map { $0 == place }, anomaly)
        }
    }

    private func report(
        _ runs: [LoopSimulation.Run], names: [String], _ numbers: [Int], images: Int, classes: Int
    ) throws {
        func areas(_ name: String, _ place: Int) -> [Double] {
            runs.filter { $0.strategy == name }.map { $0.auc[place] }
        }
        let means = names.map { name in numbers.indices.map { Self.mean(areas(name, $0)) } }
        let deviations = names.map { name in numbers.indices.map { Self.deviation(areas(name, $0)) } }
        print(
            "\n\(images) images of \(classes) classes, \(fixed(100 * error, 0)) % wrong answers: AUC, mean of \(seeds) seeds"
        )
        let table = TextTable(
            [.init("strategy", 24)] + numbers.map { .init("\($0)", 5, right: true) }
                + [.init("answers to \(fixed(goal, 2))", 16, right: true)])
        print(table.head)
        for (place, name) in names.enumerated() {
            let needed = LoopSimulation.answers(counts: numbers, mean: means[place], goal: goal)
            print(
                table.row(
                    [name] + means[place].map { fixed($0, 3) } + [needed.map { fixed($0, 0) } ?? "> \(numbers.last!)"]))
        }
        if let random = names.firstIndex(of: "random"),
            let plain = LoopSimulation.answers(counts: numbers, mean: means[random], goal: goal)
        {
            for (place, name) in names.enumerated() where place != random {
                guard let needed = LoopSimulation.answers(counts: numbers, mean: means[place], goal: goal) else {
                    continue
                }
                print("\(name): \(fixed(plain / needed, 2)) times fewer answers than random to AUC \(fixed(goal, 2))")
            }
        }
        let rows = names.indices.flatMap { name in numbers.indices.map { (name: name, count: $0) } }
        try Catalog(
            name: "LOOP",
            columns: [
                Column("strategy", .string(rows.map { names[$0.name] })),
                Column("answers", .int32(rows.map { Int32(numbers[$0.count]) })),
                Column("auc", .double(rows.map { means[$0.name][$0.count] }), description: "Mean over the seeds"),
                Column(
                    "auc_deviation", .double(rows.map { deviations[$0.name][$0.count] }),
                    description: "Standard deviation over the seeds"),
            ],
            metadata: [.init("IMAGES", images), .init("SEEDS", seeds), .init("ERROR", error)]
        ).write(to: output + "/loop.ecsv")
        var plot = Plot(
            title: "AUC against answers, \(seeds) seeds", xLabel: "answers", yLabel: "area under the ROC curve")
        plot.curves = names.enumerated().map { place, name in
            .init(
                name, x: numbers.map(Double.init), y: means[place], color: place % 6, isDashed: name == "random",
                hasPoints: true)
        }
        (plot.xIsLogarithmic, plot.xTicks, plot.legendPlace) = (true, numbers.map(Double.init), .lowerRight)
        try plot.draw().writePNG(to: output + "/loop.png")
    }

    private func findAnomalies(_ features: MorphologyFeatures, _ isAnomaly: [Bool], _ name: String) throws {
        var simulation = AnomalySimulation(features: features, isAnomaly: isAnomaly)
        (simulation.anomalies, simulation.answers, simulation.error) = (anomalies, cycleAnswers, error)
        let methods = [("guided", true), ("random", false)]
        let found = try methods.map { _, guided in
            try (0..<seeds).map { try simulation.run(seed: $0, guided: guided) }
        }
        let share = Double(isAnomaly.count { $0 }) / Double(isAnomaly.count)
        print(
            "\n\(name) as the anomaly (\(fixed(100 * share, 1)) % of the images), from \(anomalies) labelled ones, \(cycleAnswers) answers a cycle: mean of \(seeds) seeds (deviation)"
        )
        let table = TextTable([
            .init("review", 8), .init("cycles", 6, right: true), .init("answers", 7, right: true),
            .init("AUROC", 15, right: true), .init("AUPRC", 15, right: true),
            .init("precision, top 1 %", 18, right: true),
        ])
        print(table.head)
        typealias Quality = AnomalySimulation.Quality
        let measures: [(name: String, value: (Quality) -> Double)] = [
            ("auroc", { $0.auroc }), ("auprc", { $0.auprc }), ("precision_top_1_percent", { $0.precisionInTop }),
        ]
        var rows: [(method: String, cycle: Int, values: [[Double]])] = []
        for (method, runs) in zip(methods.map(\.0), found) {
            for cycle in 0...simulation.cycles {
                let values = measures.map { measure in runs.map { measure.value($0[cycle]) } }
                rows.append((method, cycle, values))
                print(
                    table.row(
                        [method, "\(cycle)", "\(cycle * cycleAnswers)"]
                            + values.map { "\(fixed(Self.mean($0), 3)) (\(fixed(Self.deviation($0), 3)))" }))
            }
        }
        try Catalog(
            name: "ANOMALIES",
            columns: [
                Column("review", .string(rows.map(\.method))), Column("cycles", .int32(rows.map { Int32($0.cycle) })),
                Column("answers", .int32(rows.map { Int32($0.cycle * cycleAnswers) })),
            ]
                + measures.enumerated().flatMap { place, measure in
                    [
                        Column(measure.name, .double(rows.map { Self.mean($0.values[place]) })),
                        Column(measure.name + "_deviation", .double(rows.map { Self.deviation($0.values[place]) })),
                    ]
                }
        ).write(to: output + "/anomalies.ecsv")
    }

    private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }

    private static func deviation(_ values: [Double]) -> Double {
        guard values.count > 1 else { return 0 }
        let mean = mean(values)
        return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
    }
}
