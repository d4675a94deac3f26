import Figures
import ImageProcessing
import Inference
import Pipelines

/// The diagrams that people look at first: size and magnitude, concentration and asymmetry, Gini and M20.
struct MeasurementFigure {
    private let rows: [MeasuredRow]

    init(_ rows: [MeasuredRow]) { self.rows = rows }

    /// The diagrams that there are values for, one below the other.
    func draw() -> RGBImage {
        var panels: [Plot] = []
        let magnitudes = rows.map { $0.magnitude($0.source.band).value }
        if magnitudes.contains(where: \.isFinite) {
            let radii = rows.map { row in
                row.estimate(\.halfLightRadius).value * (row.source.pixelScale ?? .nan)
            }
            panels.append(
                scatter(
                    "Size and magnitude", "magnitude (AB)", "half-light radius (arcsec)", magnitudes, radii,
                    logarithmic: true))
        }
        let good = rows.compactMap { $0.source.classical }.filter { $0.flag <= 1 }
        if !good.isEmpty {
            panels.append(
                scatter(
                    "Concentration and asymmetry", "asymmetry", "concentration", good.map { $0["asymmetry"] },
                    good.map { $0["concentration"] }))
            var plot = scatter("Gini and M20", "M20", "Gini", good.map { $0["m20"] }, good.map { $0["gini"] })
            // Lotz et al. 2008: mergers above −0.14 M20 + 0.33; early types above 0.14 M20 + 0.80.
            plot.curves.append(.init("mergers above", x: [-3, -0.5], y: [0.75, 0.40], isDashed: true))
            plot.curves.append(.init("early types above", x: [-3, -1.6], y: [0.38, 0.576], isDashed: true))
            plot.legendPlace = .lowerLeft
            panels.append(plot)
        }
        if panels.isEmpty {
            panels.append(
                scatter(
                    "Sizes and shapes", "half-light radius (pixels)", "axis ratio",
                    rows.map { $0.estimate(\.halfLightRadius).value }, rows.map { $0.estimate(\.axisRatio).value }))
        }
        let pictures = panels.map { $0.draw() }
        return RGBImage(
            width: pictures[0].width, height: pictures.reduce(0) { $0 + $1.height },
            samples: pictures.flatMap(\.samples))
    }

    private func scatter(
        _ title: String, _ xLabel: String, _ yLabel: String, _ x: [Double], _ y: [Double], logarithmic: Bool = false
    ) -> Plot {
        var plot = Plot(title: title, xLabel: xLabel, yLabel: yLabel)
        plot.height = 420
        plot.yIsLogarithmic = logarithmic
        let both = zip(x, y).filter { $0.0.isFinite && $0.1.isFinite }
        plot.curves = [.points(both.map(\.0), both.map(\.1))]
        return plot
    }
}

extension Plot.Curve {
    /// Points without lines between them.
    static func points(_ x: [Double], _ y: [Double], name: String = "", color: Int? = nil) -> Plot.Curve {
        Plot.Curve(
            name, x: x.flatMap { [$0, .nan] }, y: y.flatMap { [$0, .nan] }, color: color, hasPoints: true)
    }
}
