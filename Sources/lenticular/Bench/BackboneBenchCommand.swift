import ArgumentParser
import Foundation
import Kernels
import Pipelines
import Tensors
import Training

struct BackboneBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backbone",
        abstract: "Images a second of backbones, in inference and training, and where the time goes.",
        discussion: """
            tiny, small and base are ViTs at 224 pixels with patch 16 (197 tokens); stamp64 is the default model. The last \
            column is the share of all workers' time outside oneDNN and the attention kernel. \
            benchmarks/backbone/compare.py runs this in turns with PyTorch.
            """)

    @Option(name: .customLong("models"), help: "Which, separated by commas: tiny, small, base, stamp64.")
    var names = "tiny,small,base,stamp64"

    @Option(help: "Which, separated by commas: float32, bfloat16.")
    var precisions = "float32,bfloat16"

    @Option(help: "Which, separated by commas: inference, training, pretraining. All that a model has when not given.")
    var tasks: String?

    @Option(help: "Images in a batch; each model's own when not given.")
    var batch: Int?

    @Option(help: "Single-threaded workers that share a batch.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(
        help: """
            How float32 matrices are multiplied: automatic, native (float32 units), parts (six bfloat16 products, float32 \
            accuracy), twoParts (three, 16 bits).
            """)
    var float32Products: Float32Products = .automatic

    @Option(help: "Time to spend on each row.")
    var seconds = 3.0

    @OptionGroup var json: JSONOption

    func validate() throws {
        for name in names.split(separator: ",")
        where !BackboneBenchmark.Subject.all.contains(where: { $0.name == name }) {
            throw ValidationError("--models: no model is called '\(name)'")
        }
        for name in precisions.split(separator: ",") where Precision(String(name)) == nil {
            throw ValidationError("--precisions: expected float32, bfloat16 or int8, got '\(name)'")
        }
        for name in (tasks ?? "").split(separator: ",") where BackboneBenchmark.Task(rawValue: String(name)) == nil {
            throw ValidationError("--tasks: no task is called '\(name)'")
        }
        if workers < 1 || (batch ?? 1) < 1 { throw ValidationError("workers and batch must be positive") }
    }

    private struct Report: Encodable {
        var program = "lenticular \(ProgramVersion.current)"
        var instructionSet = InstructionSet.best.description
        var rows: [BackboneBenchmark.Row]
    }

    func run() throws {
        let wanted = names.split(separator: ",")
        let tasks = tasks.map { $0.split(separator: ",").compactMap { BackboneBenchmark.Task(rawValue: String($0)) } }
        let subjects = BackboneBenchmark.Subject.all.filter { wanted.contains($0.name[...]) }.map { subject in
            var subject = subject
            if let batch { subject.batch = batch }
            if let tasks { subject.tasks = subject.tasks.filter(tasks.contains) }
            return subject
        }
        let benchmark = BackboneBenchmark(
            subjects: subjects, precisions: precisions.split(separator: ",").compactMap { Precision(String($0)) },
            workers: workers, secondsPerRow: seconds, float32Products: float32Products)
        let table = TextTable([
            .init("model", 8), .init("px", 4, right: true), .init("parameters", 11, right: true), .init("task", 11),
            .init("precision", 9), .init("batch", 5, right: true), .init("images/s", 9, right: true),
            .init("GFLOP/s", 8, right: true), .init("outside", 8, right: true), .init("where the time goes", 0),
        ])
        print("\(workers) workers, \(InstructionSet.best.description)")
        print(table.head)
        let rows = try benchmark.run { row in
            let parts = row.breakdown.filter { $0.share >= 0.005 }.map { "\($0.work) \(fixed(100 * $0.share, 1)) %" }
            print(
                table.row([
                    row.model, String(row.imageSize), String(row.parameters), row.task.rawValue, row.precision.rawValue,
                    String(row.batch), fixed(row.medianImagesPerSecond, 1), row.gigaflops.map { fixed($0, 0) } ?? "",
                    fixed(100 * row.shareOutsideProductsAndAttention, 1) + " %", parts.joined(separator: ", "),
                ]))
        }
        try json.write(Report(rows: rows))
    }
}

extension Float32Products: ExpressibleByArgument {}
