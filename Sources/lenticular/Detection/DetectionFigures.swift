import Figures
import Foundation
import ImageProcessing
import Inference
import Training

/// The pictures of training and judging detection.
enum DetectionFigures {
    /// loss.png of a run folder, from its loss.csv and validation.csv.
    static func training(folder: String) throws {
        func columns(_ name: String) -> (steps: [Double], values: [Double]) {
            let text = (try? String(contentsOfFile: folder + "/" + name, encoding: .utf8)) ?? ""
            var (steps, values): ([Double], [Double]) = ([], [])
            for row in text.split(separator: "\n").dropFirst() {
                let fields = row.split(separator: ",")
                guard fields.count >= 2, let step = Double(fields[0]), let value = Double(fields[1]) else { continue }
                steps.append(step)
                values.append(value)
            }
            return (steps, values)
        }
        let (steps, losses) = columns("loss.csv")
        var means: [Double] = []
        for loss in losses { means.append(means.last.map { $0 + 0.02 * (loss - $0) } ?? loss) }
        let validation = columns("validation.csv")
        var plot = Plot(title: "Training of source detection", xLabel: "step", yLabel: "loss")
        plot.curves = [
            .init("each step", x: steps, y: losses, isFaint: true), .init("running mean", x: steps, y: means),
            .init("validation fields", x: validation.steps, y: validation.values, hasPoints: true),
        ]
        plot.yIsLogarithmic = true
        try plot.draw().writePNG(to: folder + "/loss.png")
    }

    /// Precision against recall of several methods.
    static func precisionRecall(
        _ methods: [(name: String, matchings: [DetectionMatching])], title: String, to path: String
    ) throws {
        var plot = Plot(title: title, xLabel: "recall", yLabel: "precision")
        plot.curves = methods.map { method in
            let points = DetectionScores.curve(method.matchings)
            return .init(method.name, x: points.map(\.recall), y: points.map(\.precision))
        }
        (plot.xRange, plot.yRange, plot.legendPlace) = (0...1, 0...1.02, .lowerLeft)
        try plot.draw().writePNG(to: path)
    }

    /// Shares in bins of several methods.
    static func shares(
        _ methods: [(name: String, curve: DetectionCurves.Curve)], title: String, xLabel: String, yLabel: String,
        isLogarithmic: Bool = false, to path: String
    ) throws {
        var plot = Plot(title: title, xLabel: xLabel, yLabel: yLabel)
        plot.curves = methods.map { .init($0.name, x: $0.curve.centres, y: $0.curve.shares, hasPoints: true) }
        (plot.xIsLogarithmic, plot.yRange, plot.legendPlace) = (isLogarithmic, 0...1.02, .lowerLeft)
        try plot.draw().writePNG(to: path)
    }
}
