import ArgumentParser
import Figures
import Foundation
import ImageProcessing
import Inference
import Models
import Pipelines
import Tensors
import Training

struct LabelsBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "labels",
        abstract: "How good classification is with few labels: area under the ROC curve against their number.",
        discussion: """
            Writes splits.json (which images train and judge in each run; benchmarks/morphology/resnet18.py trains on the same), \
            labels.json and a plot for each task. --join takes the labels.json of other programs into plot and table.

              lenticular bench labels --labels labels.csv --column class5 --against spiral=smooth_round+smooth_cigar -o OUT
            """)

    @OptionGroup var data: MorphologyDataOptions

    @Option(help: "frozen, finetune, scratch, or several of them with commas.")
    var methods = "frozen"

    @Option(help: ArgumentHelp("A second task: this class against others.", valueName: "class=a+b"))
    var against: String?

    @Option(help: "Numbers of labels.")
    var counts = "2,5,10,20,50,100,200,500,1000"

    @Option(help: "Runs for each number.")
    var seeds = 5

    @Option(help: "Part of the images that judges.")
    var testShare = 0.3

    @Option(help: "Views of an image that the frozen vectors are averaged over: 1, 4 or 8.")
    var views = 8

    @Option(help: "Arithmetic of the backbone's products: float32 or bfloat16.")
    var precision: Precision = .bfloat16

    @Option(help: "Runs at a time.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(parsing: .singleValue, help: ArgumentHelp("Curves of another program.", valueName: "labels.json"))
    var join: [String] = []

    @Option(name: .shortAndLong, help: "Folder for the results.")
    var output: String

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    func validate() throws {
        try data.validate()
        let numbers = counts.split(separator: ",").map { Int($0) }
        guard !numbers.isEmpty, numbers.allSatisfy({ ($0 ?? 0) > 1 }), seeds > 0, workers > 0,
            (0.01...0.9).contains(testShare), [1, 4, 8].contains(views)
        else {
            throw ValidationError(
                "expected counts of 2 and more, a test share between 0.01 and 0.9, and 1, 4 or 8 views")
        }
        for name in methods.split(separator: ",") where LabelEfficiencyRunner.Method(rawValue: String(name)) == nil {
            throw ValidationError("--methods: there is no '\(name)'; expected frozen, finetune or scratch")
        }
    }

    struct Report: Codable {
        var program: String
        var curves: [LabelEfficiencyCurve]
    }

    func run() throws {
        var session = try data.session(
            precision: precision, workers: workers, splitColumn: nil, minimumPerClass: 4, quiet: quiet)
        let methods = methods.split(separator: ",").map { LabelEfficiencyRunner.Method(rawValue: String($0))! }
        if methods != [.scratch] { try session.readFeatures(views: views) }
        let stamps = methods == [.frozen] ? nil : try session.readStamps(mirrors: !session.labels.target.isHanded)
        guard session.features.map({ $0.count == session.labels.count }) ?? true else {
            throw ValidationError("some images could be read only once; try again")
        }
        let pair = against.map { text in
            let sides = text.split(separator: "=").map { $0.split(separator: "+").map(String.init) }
            return (first: sides.first ?? [], second: sides.count > 1 ? sides[1] : [])
        }
        let split = try LabelEfficiencySplit(
            session.labels, counts: counts.split(separator: ",").map { Int($0)! }, seeds: seeds, testShare: testShare,
            pair: pair)
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(split).write(to: URL(fileURLWithPath: output + "/splits.json"), options: .atomic)
        let runner = LabelEfficiencyRunner(
            split, backbone: session.backbone.model, features: session.features, stamps: stamps, precision: precision,
            workers: workers)
        var curves: [LabelEfficiencyCurve] = []
        for method in methods {
            let total = split.counts.count * split.tasks.reduce(0) { $0 + $1.orders.count }
            let progress = Progress(method.rawValue, total: total, unit: "runs", enabled: !quiet)
            curves += try runner.run(method) { progress.update($0) }
            progress.finish(total)
        }
        try encoder.encode(Report(program: "lenticular \(ProgramVersion.current)", curves: curves)).write(
            to: URL(fileURLWithPath: output + "/labels.json"), options: .atomic)
        var joined = curves
        for path in join {
            joined += try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(fileURLWithPath: path))).curves
        }
        for task in split.tasks {
            try report(task, joined.filter { $0.task == task.name })
        }
    }

    private func report(_ task: LabelEfficiencySplit.Task, _ curves: [LabelEfficiencyCurve]) throws {
        let title =
            task.name == "pair" ? "\(task.classes[0]) against \(task.classes[1])" : "\(task.classes.count) classes"
        print("\n\(title): AUC on \(task.test.count) images, mean of the seeds (standard deviation)")
        let counts = Set(curves.flatMap(\.labels)).sorted()
        let table = TextTable([.init("method", 22)] + counts.map { .init("\($0)", 13, right: true) })
        print(table.head)
        for curve in curves {
            print(
                table.row(
                    [curve.method]
                        + counts.map { count in
                            curve.labels.firstIndex(of: count).map { place in
                                "\(fixed(curve.means[place], 3)) (\(fixed(Self.deviation(curve.auc[place]), 3)))"
                            } ?? ""
                        }))
        }
        for other in curves.dropFirst() {
            let ratios = zip(other.labels, other.means).compactMap { count, area in
                curves[0].labelsNeeded(for: area).map {
                    "\(fixed(Double(count) / $0, 1)) (AUC \(fixed(area, 3)), \(count) labels)"
                }
            }
            print(
                "labels that \(other.method) needs, by those of \(curves[0].method): \(ratios.joined(separator: "; "))")
        }
        var plot = Plot(title: title, xLabel: "labels", yLabel: "area under the ROC curve")
        plot.curves = curves.enumerated().map { place, curve in
            .init(curve.method, x: curve.labels.map(Double.init), y: curve.means, color: place % 6, hasPoints: true)
        }
        plot.xIsLogarithmic = true
        plot.xTicks = counts.map(Double.init)
        plot.legendPlace = .lowerRight
        try plot.draw().writePNG(to: "\(output)/labels-\(task.name).png")
    }

    private static func deviation(_ values: [Double]) -> Double {
        guard values.count > 1 else { return 0 }
        let mean = values.reduce(0, +) / Double(values.count)
        return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
    }
}
