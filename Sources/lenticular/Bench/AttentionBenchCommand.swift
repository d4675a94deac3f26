import ArgumentParser
import Foundation
import Kernels
import Pipelines

struct AttentionBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attention",
        abstract: "Rate, error and counters of the attention kernels.",
        discussion: """
            GFLOP/s count both products, 4·N²·d a head. The error is against double precision. VFA's row-maximum tiles are \
            those whose maxima were computed; rescales are multiplications of an accumulator by a new maximum's factor. \
            benchmarks/attention/compare.py runs this in turns with PyTorch.
            """)

    @Option(help: "Numbers of tokens, separated by commas.")
    var tokens = "197,257,1024,4096"

    @Option(help: "Widths of a head, separated by commas.")
    var widths = "64"

    @Option(help: "Which, separated by commas: float32, bfloat16.")
    var precisions = "float32,bfloat16"

    @Option(help: "Which, separated by commas: vfa, fa2, naive.")
    var algorithms = "vfa,fa2"

    @Option(help: "Images in a batch; enough for 16 × 197 tokens when not given.")
    var batch: Int?

    @Option(help: "Heads.")
    var heads = 6

    @Option(help: "Threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Time for each row.")
    var seconds = 1.0

    @Option(help: "Use a lesser instruction set: avx2, avx512, avx512bf16, amx.")
    var instructions: String?

    @Flag(help: "Instead measure what VFA relies on, on a backbone's own queries, keys and values for real images.")
    var statistics = false

    @OptionGroup(title: "With --statistics")
    var statisticsOptions: AttentionStatisticsOptions

    @OptionGroup var json: JSONOption

    private static let sets: [String: InstructionSet] = [
        "portable": .portable, "avx2": .avx2, "avx512": .avx512, "avx512bf16": .avx512BF16, "amx": .amx,
    ]

    func validate() throws {
        for text in tokens.split(separator: ",") where !(1...1_000_000).contains(Int(text) ?? 0) {
            throw ValidationError("--tokens: expected numbers, got '\(text)'")
        }
        for text in widths.split(separator: ",") where !(1...128).contains(Int(text) ?? 0) {
            throw ValidationError("--widths: expected numbers from 1 to 128, got '\(text)'")
        }
        for text in precisions.split(separator: ",") where !ElementType.allCases.contains(where: { "\($0)" == text }) {
            throw ValidationError("--precisions: expected float32 or bfloat16, got '\(text)'")
        }
        for text in algorithms.split(separator: ",")
        where !AttentionAlgorithm.allCases.contains(where: { "\($0)" == text }) {
            throw ValidationError("--algorithms: expected vfa, fa2 or naive, got '\(text)'")
        }
        if let instructions, Self.sets[instructions].map({ $0 <= .best }) != true {
            throw ValidationError(
                "--instructions: this machine has \(InstructionSet.available.map(\.description).joined(separator: ", "))"
            )
        }
        if workers < 1 || heads < 1 || (batch ?? 1) < 1 {
            throw ValidationError("workers, heads and batch must be positive")
        }
    }

    private struct Report: Encodable {
        var program = "lenticular \(ProgramVersion.current)"
        var rows: [AttentionBenchmark.Row]
    }

    func run() throws {
        if statistics {
            return try AttentionStatisticsReporter(options: statisticsOptions, json: json, workers: workers).run()
        }
        let shapes = widths.split(separator: ",").compactMap { Int($0) }.flatMap { width in
            tokens.split(separator: ",").compactMap { Int($0) }.map { tokens in
                var shape = AttentionBenchmark.Shape(tokens: tokens, width: width)
                shape.heads = heads
                if let batch { shape.batch = batch }
                return shape
            }
        }
        let set = instructions.flatMap { Self.sets[$0] } ?? .best
        let benchmark = AttentionBenchmark(
            shapes: shapes,
            precisions: ElementType.allCases.filter { precisions.split(separator: ",").contains("\($0)") },
            algorithms: algorithms.split(separator: ",").compactMap { name in
                AttentionAlgorithm.allCases.first { "\($0)" == name }
            }, workers: workers, seconds: seconds, instructionSet: set)
        let table = TextTable([
            .init("N", 6, right: true), .init("d", 4, right: true), .init("batch", 5, right: true),
            .init("precision", 9),
            .init("algorithm", 9), .init("GFLOP/s", 8, right: true), .init("of FA2", 6, right: true),
            .init("error", 8, right: true), .init("tiles", 9, right: true), .init("maxima", 9, right: true),
            .init("rescales", 9, right: true), .init("fallback rows", 13, right: true),
        ])
        print("\(workers) workers, \(set.description), \(heads) heads")
        print(table.head)
        let rows = benchmark.run { row in
            print(
                table.row([
                    String(row.shape.tokens), String(row.shape.width), String(row.shape.batch), row.precision,
                    row.algorithm, fixed(row.gigaflops, 0), fixed(row.ratioToFA2, 2),
                    String(format: "%.1e", row.relativeError), String(row.tiles), String(row.rowMaximumTiles),
                    String(row.rescales), String(row.fallbackRows),
                ]))
        }
        try json.write(Report(rows: rows))
    }
}
