import Figures
import Foundation
import ImageProcessing
import Kernels

/// The figures of `bench attention` as pictures: rate and share of the limit against the number of tokens.
struct AttentionRatePlots {
    let rows: [AttentionBenchmark.Row]

    /// Writes a picture of the rates and one of the ratios for each width of a head; the folder is made if need be.
    func write(to folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for width in Set(rows.map(\.shape.width)).sorted() {
            try plot(
                width, "Attention, d = \(width)", y: "GFLOP/s", logarithmic: true, \.gigaflops
            ).draw().writePNG(to: "\(folder)/rate-\(width).png")
            try plot(
                width, "Attention against FA2 in the same precision, d = \(width)", y: "ratio of rates",
                logarithmic: false, \.ratioToFA2
            ).draw().writePNG(to: "\(folder)/ratio-\(width).png")
        }
    }

    private func plot(
        _ width: Int, _ title: String, y: String, logarithmic: Bool, _ value: (AttentionBenchmark.Row) -> Double
    ) -> Plot {
        var plot = Plot(title: title, xLabel: "tokens", yLabel: y)
        let rows = rows.filter { $0.shape.width == width }
        var modes: [String] = []
        for row in rows where !modes.contains(row.mode) { modes.append(row.mode) }
        var titles: [String] = []
        for row in rows where !titles.contains(row.title) { titles.append(row.title) }
        for (color, mode) in modes.enumerated() {
            for title in titles {
                let points = rows.filter { $0.mode == mode && $0.title == title }
                if points.isEmpty || (title == "fa2" && !logarithmic) { continue }
                plot.curves.append(
                    .init(
                        "\(mode) \(title)", x: points.map { Double($0.shape.tokens) }, y: points.map(value),
                        color: color, isDashed: title == "fa2", hasPoints: true))
            }
        }
        (plot.xIsLogarithmic, plot.yIsLogarithmic) = (true, logarithmic)
        plot.xTicks = Set(rows.map { Double($0.shape.tokens) }).sorted()
        plot.legendPlace = .outside
        plot.width = 960
        plot.scale = 2
        return plot
    }
}
