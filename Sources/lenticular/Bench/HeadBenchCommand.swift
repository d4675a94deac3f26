import ArgumentParser
import Foundation
import Kernels
import Tensors
import Training

struct HeadBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heads",
        abstract: "Samples a second in the training of small heads.",
        discussion: """
            dense is 512 → 256 → 5 on cached vectors in batches of 256; unet is a U-Net of 16 to 64 channels on batches of 16 \
            images of 128 pixels. benchmarks/training/heads.py runs this in turns with PyTorch.
            """)

    @Option(help: "Single-threaded workers that share a batch.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Time to spend on each row.")
    var seconds = 2.0

    @OptionGroup var json: JSONOption

    func validate() throws {
        if workers < 1 { throw ValidationError("--workers: expected at least 1, got \(workers)") }
    }

    func run() throws {
        let table = TextTable([
            .init("head", 5), .init("precision", 9), .init("batch", 5, right: true),
            .init("samples/s", 9, right: true), .init("where the time goes", 0),
        ])
        print("\(workers) workers, \(InstructionSet.best.description)")
        print(table.head)
        var rows: [HeadBenchmark.Row] = []
        for subject in HeadBenchmark.Subject.allCases {
            for precision in [Precision.float32, .bfloat16] {
                let row = try HeadBenchmark(workers: workers, secondsPerRow: seconds).run(subject, precision)
                print(
                    table.row([
                        subject.rawValue, precision.rawValue, String(row.batch), significant(row.samplesPerSecond),
                        row.breakdown.summary,
                    ]))
                rows.append(row)
            }
        }
        try json.write(rows)
    }
}
