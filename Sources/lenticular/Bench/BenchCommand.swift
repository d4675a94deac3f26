import ArgumentParser
import Foundation
import Training

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure speed and quality on this machine.",
        discussion: "docs/benchmarks.md has the results so far, and the scripts that run the peers in turns.",
        subcommands: [
            BackboneBenchCommand.self, HeadBenchCommand.self, AttentionBenchCommand.self, ProbeBenchCommand.self,
            DetectionBenchCommand.self, RestorationBenchCommand.self, ParametersBenchCommand.self,
            LabelsBenchCommand.self, LoopBenchCommand.self, ReviewBenchCommand.self, SearchBenchCommand.self,
            AutoencoderBenchCommand.self, OutliersBenchCommand.self,
        ])
}

/// What every `bench` command can do with its figures.
struct JSONOption: ParsableArguments {
    @Option(name: .customLong("json"), help: ArgumentHelp("Also write the figures to this file.", valueName: "file"))
    var path: String?

    func write(_ figures: some Encodable) throws {
        guard let path else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        try (encoder.encode(figures) + Data("\n".utf8)).write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}

extension [BackboneBenchmark.Share] {
    /// What took half a percent of the time or more: `product 61.2 %, norm 4.0 %`.
    var summary: String {
        filter { $0.share >= 0.005 }.map { "\($0.work) \(fixed(100 * $0.share, 1)) %" }.joined(separator: ", ")
    }
}
