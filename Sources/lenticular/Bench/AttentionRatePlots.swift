import Figures
import Foundation
import ImageProcessing
import Kernels

/// The figures of `bench attention` as pictures, for each width of a head: rates of FA2 and VFA (or what was measured in
/// place of them) in every precision, and for each precision the ratio of every algorithm to FA2.
struct AttentionRatePlots {
    let rows: [AttentionBenchmark.Row]

    /// Writes the pictures; the folder is made if need be.
    func write(to folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for width in Set(rows.map(\.shape.width)).sorted() {
            let rows = rows.filter { $0.shape.width == width }
            try rates(rows, width).draw().writePNG(to: "\(folder)/rate-\(width).png")
            for precision in Self.distinct(rows.map(\.precision)) {
                let plot = ratios(rows.filter { $0.precision == precision }, width)
                if !plot.curves.isEmpty { try plot.draw().writePNG(to: "\(folder)/ratio-\(width)-\(precision).png") }
            }
        }
    }

    private static func distinct(_ values: [String]) -> [String] {
        var seen: [String] = []
        for value in values where !seen.contains(value) { seen.append(value) }
        return seen
    }

    private func rates(_ rows: [AttentionBenchmark.Row], _ width: Int) -> Plot {
        var plot = plot("Attention, heads of width \(width)", y: "GFLOP/s", rows)
        plot.yIsLogarithmic = true
        let titles = Self.distinct(rows.map(\.title))
        let shown = ["fa2", "vfa"].filter(titles.contains) + titles.filter { $0 != "fa2" && $0 != "vfa" }
        for (color, mode) in Self.distinct(rows.map(\.mode)).enumerated() {
            for (place, title) in shown.prefix(2).enumerated() {
                let points = rows.filter { $0.mode == mode && $0.title == title }
                plot.curves.append(curve("\(mode) \(title)", points, \.gigaflops, color: color, isDashed: place == 0))
            }
        }
        return plot
    }

    private func ratios(_ rows: [AttentionBenchmark.Row], _ width: Int) -> Plot {
        var plot = plot("\(rows[0].mode) against FA2, heads of width \(width)", y: "ratio of rates", rows)
        for (color, title) in Self.distinct(rows.map(\.title)).filter({ $0 != "fa2" }).enumerated() {
            plot.curves.append(
                curve(title, rows.filter { $0.title == title }, \.ratioToFA2, color: color, isDashed: false))
        }
        return plot
    }

    private func plot(_ title: String, y: String, _ rows: [AttentionBenchmark.Row]) -> Plot {
        var plot = Plot(title: title, xLabel: "tokens", yLabel: y)
        plot.xIsLogarithmic = true
        plot.xTicks = Set(rows.map { Double($0.shape.tokens) }).sorted()
        plot.legendPlace = .outside
        plot.width = 960
        plot.scale = 2
        return plot
    }

    private func curve(
        _ name: String, _ rows: [AttentionBenchmark.Row], _ value: (AttentionBenchmark.Row) -> Double, color: Int,
        isDashed: Bool
    ) -> Plot.Curve {
        .init(
            name, x: rows.map { Double($0.shape.tokens) }, y: rows.map(value), color: color, isDashed: isDashed,
            hasPoints: true)
    }
}
