import ArgumentParser
import Datasets
import Foundation
import Inference
import Kernels
import Models
import Pipelines
import Tensors
import Training

struct BackboneBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backbone",
        abstract: "Images a second of backbones, in inference and training, and where the time goes.",
        discussion: """
            tiny, small and base are ViTs at 224 pixels with patch 16 (197 tokens); stamp64 is the default model. The last \
            column is the share of all workers' time outside oneDNN and the attention kernel. Two must be asked for: stamp128, \
            128 pixels in patches of 8, width 256 and 7 blocks; and small1024, one image of 1024 pixels in patches of 8 (16 385 \
            tokens), which takes minutes. benchmarks/backbone/compare.py and benchmarks/training/pretrain_step.py run this in \
            turns with PyTorch.

            With --images, a second table gives the accuracy: the cosine of a model's embeddings of these images to its \
            embeddings in float32, as they are and after subtracting their mean.
            """)

    @Option(
        name: .customLong("models"),
        help: "Which, separated by commas: tiny, small, base, stamp64, stamp128, small1024.")
    var names = "tiny,small,base,stamp64"

    @Option(help: "Which, separated by commas: float32, bfloat16, int8 (in inference).")
    var precisions = "float32,bfloat16,int8"

    @Option(
        help:
            "Attention algorithm: automatic, vfa, fa2, fa4, naive, or vsa with its threshold and perhaps a tolerance, such as vsa:0.001:0.01."
    )
    var attention: AttentionVariant = .automatic

    @Option(help: "Order of the patches inside the network: rows, blocks, hilbert.")
    var order: GridOrder = .rows

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

    @Option(parsing: .upToNextOption, help: "Folders and files of images to measure the accuracy on.")
    var images: [String] = []

    @Option(help: "Use at most so many of the images, evenly among them.")
    var imageLimit = 1000

    @Option(help: "Model whose accuracy is measured: a name or a .safetensors file.")
    var model = "default"

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
        if workers < 1 || (batch ?? 1) < 1 || imageLimit < 1 {
            throw ValidationError("workers, batch and image limit must be positive")
        }
    }

    private struct Report: Encodable {
        var program = "lenticular \(ProgramVersion.current)"
        var instructionSet = InstructionSet.best.description
        var rows: [BackboneBenchmark.Row]
        var accuracy: Accuracy?
    }

    private struct Accuracy: Encodable {
        var model: String
        var images: [String]
        var rows: [AccuracyBenchmark.Row]
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
            attention: attention, order: order, workers: workers, secondsPerRow: seconds,
            float32Products: float32Products)
        let table = TextTable([
            .init("model", 8), .init("px", 4, right: true), .init("parameters", 11, right: true), .init("task", 11),
            .init("precision", 9), .init("batch", 5, right: true), .init("images/s", 9, right: true),
            .init("GFLOP/s", 8, right: true), .init("outside", 8, right: true), .init("where the time goes", 0),
        ])
        print(
            "\(workers) workers, \(InstructionSet.best.description), attention \(attention), patches in \(order.rawValue)"
        )
        print(table.head)
        let rows = try benchmark.run { row in
            print(
                table.row([
                    row.model, String(row.imageSize), String(row.parameters), row.task.rawValue, row.precision.rawValue,
                    String(row.batch), significant(row.medianImagesPerSecond), row.gigaflops.map { fixed($0, 0) } ?? "",
                    fixed(100 * row.shareOutsideProductsAndAttention, 1) + " %", row.breakdown.summary,
                ]))
        }
        try json.write(Report(rows: rows, accuracy: images.isEmpty ? nil : try measureAccuracy()))
    }

    private func measureAccuracy() throws -> Accuracy {
        let found = try FileDiscovery().objects(in: images)
        let step = max(1, (found.count + imageLimit - 1) / imageLimit)
        let rows = try AccuracyBenchmark(
            model: InstalledFiles.model(named: model),
            executions: precisions.split(separator: ",").compactMap { Precision(String($0)) }
                .map { Execution(precision: $0, attention: attention, order: order) }, workers: workers
        ).run(stride(from: 0, to: found.count, by: step).map { found[$0] })
        print(
            "\nmodel \(model), one view of \(rows.first?.agreement.objects ?? 0) images of "
                + "\(images.joined(separator: ", ")): cosine to float32")
        let table = TextTable([
            .init("precision", 9), .init("attention", 9), .init("mean", 9, right: true),
            .init("minimum", 9, right: true),
            .init("centred mean", 12, right: true), .init("minimum", 9, right: true),
        ])
        print(table.head)
        for row in rows {
            print(
                table.row([
                    row.precision.rawValue, row.attention, fixed(row.agreement.meanCosine, 6),
                    fixed(row.agreement.minimumCosine, 6), fixed(row.agreement.meanCentredCosine, 6),
                    fixed(row.agreement.minimumCentredCosine, 6),
                ]))
        }
        return Accuracy(model: model, images: images, rows: rows)
    }
}

extension Float32Products: ExpressibleByArgument {}
extension GridOrder: ExpressibleByArgument {}
