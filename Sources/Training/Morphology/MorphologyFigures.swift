import Figures
import ImageProcessing
public import Models

/// Pictures of an evaluation: confusion matrix, ROC, reliability.
public struct MorphologyFigures {
    let target: MorphologyTarget
    let curves: MorphologyCurves

    public init(_ target: MorphologyTarget, _ curves: MorphologyCurves) {
        self.target = target
        self.curves = curves
    }

    /// Writes what there is for this kind of answer.
    ///
    /// - Returns: the names of the files.
    public func write(to folder: String) throws -> [String] {
        var files: [String] = []
        func save(_ picture: RGBImage, _ name: String) throws {
            try picture.writePNG(to: "\(folder)/\(name)")
            files.append(name)
        }
        if case .classes(let names) = target, let classes = curves.classes {
            try save(
                HeatMap.confusion(classes.confusion(), names: names, title: "Confusion matrix").draw(),
                "confusion.png")
            try save(roc(names.indices.map { (names[$0], classes.curve(of: $0)) }), "roc.png")
            try save(
                reliability(
                    [("confidence", classes.confidence)], "probability of the predicted class", "how often right"),
                "reliability.png")
        }
        if !curves.labels.isEmpty {
            try save(roc(curves.labels.map { ($0.name, $0.metrics.curve) }), "roc.png")
            try save(
                reliability(
                    curves.labels.map { ($0.name, $0.metrics.reliability) }, "predicted", "mean of the truths"),
                "reliability.png")
        }
        if !curves.fractions.isEmpty {
            try save(
                reliability(curves.fractions, "predicted vote fraction", "mean fraction of the votes"),
                "reliability.png")
        }
        return files
    }

    private func roc(_ curves: [(String, ROCCurve)]) -> RGBImage {
        var plot = Plot(title: "ROC, one against the rest", xLabel: "false positive rate", yLabel: "true positive rate")
        plot.curves = curves.enumerated().compactMap { place, item in
            let area = item.1.area()
            guard area.isFinite else { return nil }
            let points = item.1.points()
            let hundredths = Int((area * 1000).rounded())
            let text = "\(item.0)  \(hundredths / 1000).\(String(1000 + hundredths % 1000).dropFirst())"
            return .init(text, x: points.falsePositive, y: points.truePositive, color: place % 6, isDashed: place >= 6)
        }
        (plot.xRange, plot.yRange) = (0...1, 0...1)
        plot.legendPlace = .outside
        return plot.draw()
    }

    private func reliability(_ parts: [(name: String, reliability: Reliability)], _ x: String, _ y: String) -> RGBImage
    {
        var plot = Plot(title: "Reliability", xLabel: x, yLabel: y)
        plot.curves = [.init("perfect", x: [0, 1], y: [0, 1], color: 5, isDashed: true)]
        for (place, part) in parts.enumerated() {
            let bins = part.reliability.bins(10)
            plot.curves.append(
                .init(
                    part.name, x: bins.map(\.probability), y: bins.map(\.frequency), color: place % 5,
                    isDashed: place >= 5, hasPoints: true))
        }
        (plot.xRange, plot.yRange) = (0...1, 0...1)
        plot.legendPlace = .outside
        return plot.draw()
    }
}
