import ArgumentParser
import Figures
import Foundation
import ImageProcessing
import Models
import Pipelines
import Tensors
import Training

struct ParametersBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parameters",
        abstract: "Errors of measured galaxy parameters against the truth of simulated ones.",
        discussion: """
            The network, the Sersic fit and the classical set measure the same stamps, of which the network was not trained on one. \
            --stamps FOLDER writes them, for benchmarks/parameters/peer.py.
            """)

    @Option(help: "Network by name, or a .safetensors file.")
    var model = "parameters"

    @Option(help: "Simulated galaxies.")
    var scenes = 1000

    @Option(help: "Seed of the galaxies; not the one of the training.")
    var seed: UInt64 = 7001

    @Option(help: "Views that the network averages.")
    var views = 8

    @Option(help: "Threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Folder for figures.")
    var plots: String?

    @Option(help: "Folder for the stamps, as FITS.")
    var stamps: String?

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        struct Bin: Encodable {
            var signalToNoise: [Double]
            var count: Int
            /// By quantity, then by method.
            var statistics: [String: [String: ParameterStatistics]]
            var coverage68: [String: Double]
            var coverage95: [String: Double]
        }
        var program = "lenticular \(ProgramVersion.current)"
        var model: String
        var scenes: Int
        var seed: UInt64
        var secondsAGalaxy: ParameterBenchmark.Times
        var all: Bin
        var bins: [Bin]
        var rows: [ParameterBenchmark.Row]
    }

    func validate() throws {
        if ![1, 4, 8].contains(views) { throw ValidationError("--views: expected 1, 4 or 8") }
        if scenes < 50 { throw ValidationError("--scenes: expected at least 50") }
    }

    func run() throws {
        let network = try ParameterNetwork.load(
            path: InstalledFiles.model(named: model), backend: CPUBackend(threads: 1))
        for folder in [plots, stamps].compactMap({ $0 }) {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        let drawing = Progress("simulating", total: scenes, unit: "galaxies", enabled: !quiet)
        let simulation = try ParameterSimulation(seed: seed, first: 0, count: scenes, workers: workers) {
            drawing.update($0)
            return true
        }
        drawing.finish(scenes)
        guard let simulation else { return }
        if !quiet { FileHandle.standardError.write(Data("measuring …\n".utf8)) }
        let benchmark = try ParameterBenchmark(
            network, on: simulation, seed: seed, views: views, workers: workers, writingTo: stamps)

        let edges: [Double] = [0, 20, 50, 100, 200, 500, .infinity]
        let bins = zip(edges, edges.dropFirst()).map { low, high in
            bin(benchmark, benchmark.rows.filter { $0.signalToNoise >= low && $0.signalToNoise < high }, low, high)
        }
        let all = bin(benchmark, benchmark.rows, 0, .infinity)
        report(all, bins, benchmark.times)
        if let plots { try draw(bins, to: plots) }
        let encodable = Report(
            model: model, scenes: scenes, seed: seed, secondsAGalaxy: benchmark.times, all: all, bins: bins,
            rows: benchmark.rows)
        try json.write(encodable)
    }

    private func bin(
        _ benchmark: ParameterBenchmark, _ rows: [ParameterBenchmark.Row], _ low: Double, _ high: Double
    ) -> Report.Bin {
        var bin = Report.Bin(
            signalToNoise: [low, min(high, 1e9)], count: rows.count, statistics: [:], coverage68: [:], coverage95: [:])
        for (index, quantity) in ParameterBenchmark.quantities.enumerated() {
            for method in ParameterBenchmark.Method.allCases {
                let statistics = ParameterStatistics(benchmark.errors(method, index, rows: rows))
                if statistics.count > 2 { bin.statistics[quantity, default: [:]][method.rawValue] = statistics }
            }
            guard !rows.isEmpty else { continue }
            bin.coverage68[quantity] = benchmark.coverage(index, within: 1, rows: rows)
            bin.coverage95[quantity] = benchmark.coverage(index, within: 2, rows: rows)
        }
        return bin
    }

    private func report(_ all: Report.Bin, _ bins: [Report.Bin], _ times: ParameterBenchmark.Times) {
        let table = TextTable([
            .init("quantity", 18), .init("S/N", 10, right: true), .init("objects", 7, right: true),
            .init("method", 10), .init("measured", 8, right: true), .init("bias", 8, right: true),
            .init("scatter", 8, right: true), .init("rms", 8, right: true), .init("in 1 s.d.", 9, right: true),
            .init("in 2 s.d.", 9, right: true),
        ])
        print(table.head)
        for quantity in ParameterBenchmark.quantities {
            for bin in [all] + bins {
                for method in ParameterBenchmark.Method.allCases {
                    guard let value = bin.statistics[quantity]?[method.rawValue] else { continue }
                    let range =
                        bin.signalToNoise[1] >= 1e9
                        ? "> \(Int(bin.signalToNoise[0]))" : "\(Int(bin.signalToNoise[0]))–\(Int(bin.signalToNoise[1]))"
                    let own = method == .network
                    print(
                        table.row([
                            quantity, bin.signalToNoise[1] >= 1e9 && bin.signalToNoise[0] == 0 ? "all" : range,
                            String(bin.count), method.rawValue, String(value.count), fixed(value.bias, 4),
                            fixed(value.scatter, 4), fixed(value.rms, 4),
                            own ? fixed(bin.coverage68[quantity] ?? .nan, 3) : "",
                            own ? fixed(bin.coverage95[quantity] ?? .nan, 3) : "",
                        ]))
                }
            }
        }
        print(
            """
            milliseconds a galaxy on one core: network \(fixed(1000 * times.network, 2)), classical set \
            \(fixed(1000 * times.classical, 2)), with Sersic fit \(fixed(1000 * times.classicalAndSersicFit, 2))
            """)
    }

    private func draw(_ bins: [Report.Bin], to folder: String) throws {
        let units = ["magnitude": "mag", "position_angle": "degrees", "axis_ratio": "", "bulge_fraction": ""]
        for quantity in ParameterBenchmark.quantities {
            var plot = Plot(
                title: "Error of \(quantity.replacing("_", with: " "))", xLabel: "signal to noise",
                yLabel: "scatter (\(units[quantity] ?? "relative"))")
            plot.xIsLogarithmic = true
            plot.yIsLogarithmic = true
            for (color, method) in ParameterBenchmark.Method.allCases.enumerated() {
                let values = bins.compactMap { bin in
                    bin.statistics[quantity]?[method.rawValue].map { (middle(bin), $0) }
                }
                guard !values.isEmpty else { continue }
                let name = method.rawValue.replacing("_", with: " ")
                plot.curves.append(
                    .init(
                        "\(name): scatter", x: values.map(\.0), y: values.map(\.1.scatter), color: color,
                        hasPoints: true))
                plot.curves.append(
                    .init(
                        "\(name): |bias|", x: values.map(\.0), y: values.map { abs($0.1.bias) }, color: color,
                        isDashed: true))
            }
            plot.legendPlace = .outside
            try plot.draw().writePNG(to: "\(folder)/\(quantity).png")
        }
        var plot = Plot(
            title: "Truths within one and two standard deviations", xLabel: "signal to noise", yLabel: "share")
        plot.xIsLogarithmic = true
        plot.yRange = 0.4...1
        for (color, quantity) in ParameterBenchmark.quantities.enumerated() {
            let name = quantity.replacing("_", with: " ")
            let filled = bins.filter { $0.count > 10 }
            plot.curves.append(
                .init(
                    name, x: filled.map(middle), y: filled.map { $0.coverage68[quantity] ?? .nan }, color: color,
                    hasPoints: true))
            plot.curves.append(
                .init(
                    "", x: filled.map(middle), y: filled.map { $0.coverage95[quantity] ?? .nan }, color: color,
                    isDashed: true))
        }
        plot.legendPlace = .outside
        try plot.draw().writePNG(to: folder + "/coverage.png")
    }

    private func middle(_ bin: Report.Bin) -> Double {
        (max(bin.signalToNoise[0], 8) * min(bin.signalToNoise[1], 1500)).squareRoot()
    }
}
