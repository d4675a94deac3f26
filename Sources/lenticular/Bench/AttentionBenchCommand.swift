import ArgumentParser
import Foundation
import Kernels
import Pipelines

struct AttentionBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attention",
        abstract:
            "Rate, error and counters of the attention kernels; or, with --statistics, what real attention looks like.",
        discussion: """
            GFLOP/s count both products, 4·N²·d a head. "of limit" is the share of what product instructions reach on registers \
            alone. C and V are the bits of the products and of the softmax. The error is against double precision. All \
            rows of one N and d take turns, call by call. benchmarks/attention/compare.py runs this in turns with PyTorch.
            """)

    @Option(help: "Numbers of tokens, separated by commas.")
    var tokens = "196,257,577,1024,4096,16384"

    @Option(help: "Widths of a head, separated by commas.")
    var widths = "32,64,128"

    @Option(
        help: "Which, separated by commas: float32, bfloat16, int8, int8BFloat16 (scores in int8, values in bfloat16).")
    var precisions = "float32,bfloat16,int8,int8BFloat16"

    @Option(
        help: """
            Which, separated by commas: vfa, fa2, fa4, naive, vsa:λ; vfa-none, vfa-signedAbsoluteMaximum, vfa-mean and \
            vfa-sampled choose how the maximum begins.
            """)
    var algorithms = "fa2,vfa"

    @Option(help: "Images in a batch; enough for 16 × 197 tokens when not given.")
    var batch: Int?

    @Option(help: "Heads; 6, or 2 from 8192 tokens on, when not given.")
    var heads: Int?

    @Option(help: "Threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Time for each row.")
    var seconds = 0.5

    @Option(help: "Use a lesser instruction set: portable, avx2, avx512, avx512bf16, amx.")
    var instructions: String?

    @Option(help: ArgumentHelp("Also draw the figures into this folder, as PNG.", valueName: "folder"))
    var plots: String?

    @Flag(help: "Instead measure what VFA relies on, on a backbone's own queries, keys and values for real images.")
    var statistics = false

    @OptionGroup(title: "With --statistics")
    var statisticsOptions: AttentionStatisticsOptions

    @OptionGroup var json: JSONOption

    private static let sets: [String: InstructionSet] = [
        "portable": .portable, "avx2": .avx2, "avx512": .avx512, "avx512bf16": .avx512BF16, "amx": .amx,
    ]

    /// An algorithm as written on the command line.
    private static func variant(_ text: Substring) -> AttentionBenchmark.Variant? {
        if text.hasPrefix("vsa") {
            guard text != "vsa" else { return .init(.vsa) }
            guard text.dropFirst(3).first == ":", let threshold = Float(text.dropFirst(4)), threshold > 0, threshold < 1
            else { return nil }
            return .init(.vsa, skipThreshold: threshold)
        }
        let parts = text.split(separator: "-", maxSplits: 1)
        guard let name = parts.first, let algorithm = AttentionAlgorithm.allCases.first(where: { "\($0)" == name })
        else {
            return nil
        }
        guard parts.count == 2 else { return .init(algorithm) }
        guard algorithm == .vfa, let estimate = MaximumEstimate.allCases.first(where: { "\($0)" == parts[1] }) else {
            return nil
        }
        return .init(.vfa, estimate: estimate)
    }

    func validate() throws {
        for text in tokens.split(separator: ",") where !(1...1_000_000).contains(Int(text) ?? 0) {
            throw ValidationError("--tokens: expected numbers, got '\(text)'")
        }
        for text in widths.split(separator: ",") where !(1...128).contains(Int(text) ?? 0) {
            throw ValidationError("--widths: expected numbers from 1 to 128, got '\(text)'")
        }
        for text in precisions.split(separator: ",")
        where !AttentionProducts.allCases.contains(where: { "\($0)" == text }) {
            let names = AttentionProducts.allCases.map { "\($0)" }.joined(separator: ", ")
            throw ValidationError("--precisions: expected \(names), got '\(text)'")
        }
        for text in algorithms.split(separator: ",") where Self.variant(text) == nil {
            throw ValidationError("--algorithms: no algorithm is called '\(text)'")
        }
        if let instructions, Self.sets[instructions].map({ $0 <= .best }) != true {
            throw ValidationError(
                "--instructions: this machine has \(InstructionSet.available.map(\.description).joined(separator: ", "))"
            )
        }
        if workers < 1 || (heads ?? 1) < 1 || (batch ?? 1) < 1 {
            throw ValidationError("workers, heads and batch must be positive")
        }
    }

    private struct Report: Encodable {
        var program = "lenticular \(ProgramVersion.current)"
        var instructionSet: String
        var workers: Int
        /// 10⁹ operations a second of product instructions on registers alone, by precision.
        var limits: [String: Double]
        var rows: [AttentionBenchmark.Row]
    }

    func run() throws {
        if statistics {
            return try AttentionStatisticsReporter(
                options: statisticsOptions, json: json, plots: plots, workers: workers
            ).run()
        }
        let shapes = widths.split(separator: ",").compactMap { Int($0) }.flatMap { width in
            tokens.split(separator: ",").compactMap { Int($0) }.map { tokens in
                var shape = AttentionBenchmark.Shape(tokens: tokens, width: width)
                if let heads { shape.heads = heads }
                if let batch { shape.batch = batch }
                return shape
            }
        }
        let set = instructions.flatMap { Self.sets[$0] } ?? .best
        let benchmark = AttentionBenchmark(
            shapes: shapes,
            precisions: precisions.split(separator: ",").compactMap { name in
                AttentionProducts.allCases.first { "\($0)" == name }
            }, variants: algorithms.split(separator: ",").compactMap(Self.variant), workers: workers, seconds: seconds,
            instructionSet: set)
        let limits = benchmark.limits()
        print(
            "\(workers) workers, \(set.description); product instructions reach "
                + benchmark.precisions.map { "\($0) \(fixed(limits[$0] ?? 0, 0))" }.joined(separator: ", ") + " GFLOP/s"
        )
        let table = TextTable([
            .init("N", 6, right: true), .init("d", 4, right: true), .init("batch", 5, right: true), .init("mode", 8),
            .init("algorithm", 10), .init("GFLOP/s", 8, right: true), .init("of limit", 8, right: true),
            .init("to FA2", 6, right: true), .init("to C16 FA2", 10, right: true), .init("error", 8, right: true),
            .init("tiles", 7, right: true), .init("maxima", 7, right: true), .init("skipped", 7, right: true),
            .init("redone", 6, right: true), .init("rescales", 8, right: true), .init("fallback rows", 13, right: true),
        ])
        print(table.head)
        let rows = benchmark.run(limits: limits) { row in
            print(
                table.row([
                    String(row.shape.tokens), String(row.shape.width), String(row.shape.batch), row.mode, row.title,
                    fixed(row.gigaflops, 0), fixed(100 * row.shareOfLimit, 1) + " %", fixed(row.ratioToFA2, 3),
                    row.ratioToC16FA2.map { fixed($0, 2) } ?? "", String(format: "%.1e", row.relativeError),
                    String(row.tiles), String(row.rowMaximumTiles), String(row.skippedTiles), String(row.redoneTiles),
                    String(row.rescales), String(row.fallbackRows),
                ]))
        }
        try json.write(
            Report(
                instructionSet: set.description, workers: workers,
                limits: Dictionary(uniqueKeysWithValues: limits.map { ("\($0)", $1) }), rows: rows))
        if let plots { try AttentionRatePlots(rows: rows).write(to: plots) }
    }
}

extension AttentionBenchmark.Row {
    /// The algorithm with its options.
    var title: String {
        if let skipThreshold { return "\(algorithm):\(String(format: "%g", skipThreshold))" }
        return algorithm == "vfa" && estimate != "automatic" ? "vfa-\(estimate)" : algorithm
    }
}
