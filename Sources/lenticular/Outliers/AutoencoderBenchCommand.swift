import ArgumentParser
import Foundation
import Kernels
import Models
import Tensors
import Training

struct AutoencoderBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "autoencoder",
        abstract: "Stamps a second in the training of the auto-encoders that find outliers.",
        discussion: """
            Random stamps of 3 × 64 × 64, without reading and augmentation. benchmarks/outliers/cae_step.py runs this in turns with \
            PyTorch.
            """)

    @Option(help: "Single-threaded workers that share a batch.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Stamps a step.")
    var batch = 64

    @Option(help: "Time to spend on each row.")
    var seconds = 2.0

    @Option(
        help: "Also write networks with their answers to random stamps to this folder, for another program to repeat.")
    var export: String?

    @OptionGroup var json: JSONOption

    func validate() throws {
        if workers < 1 || batch < 1 { throw ValidationError("--workers and --batch: expected at least 1") }
    }

    func run() throws {
        let table = TextTable([
            .init("network", 7), .init("precision", 9), .init("parameters", 10, right: true),
            .init("stamps/s", 9, right: true), .init("where the time goes", 0),
        ])
        print("\(workers) workers, batch \(batch), \(InstructionSet.best.description)")
        print(table.head)
        var rows: [AutoencoderBenchmark.Row] = []
        let benchmark = AutoencoderBenchmark(workers: workers, batch: batch, secondsPerRow: seconds)
        for kind in AutoencoderConfiguration.Kind.allCases {
            if let export {
                try FileManager.default.createDirectory(atPath: export, withIntermediateDirectories: true)
                try AutoencoderBenchmark.export(kind, to: export)
            }
            for precision in [Precision.float32, .bfloat16] {
                let row = try benchmark.run(kind, precision)
                print(
                    table.row([
                        kind.rawValue, precision.rawValue, String(row.parameters), significant(row.stampsPerSecond),
                        row.breakdown.summary,
                    ]))
                rows.append(row)
            }
        }
        try json.write(rows)
    }
}
