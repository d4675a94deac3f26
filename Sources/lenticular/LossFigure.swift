import Figures
import Foundation
import ImageProcessing

/// The loss of a training run as a picture, made from its loss.csv.
struct LossFigure {
    let folder: String

    func draw() throws {
        let text = try String(contentsOfFile: folder + "/loss.csv", encoding: .utf8)
        var (steps, losses, means): ([Double], [Double], [Double]) = ([], [], [])
        for row in text.split(separator: "\n").dropFirst() {
            let fields = row.split(separator: ",")
            guard fields.count >= 2, let step = Double(fields[0]), let loss = Double(fields[1]) else { continue }
            steps.append(step)
            losses.append(loss)
            means.append(means.last.map { $0 + 0.02 * (loss - $0) } ?? loss)
        }
        var plot = Plot(title: "Masked-autoencoder pre-training", xLabel: "step", yLabel: "loss (normalised patches)")
        plot.curves = [
            .init("each step", x: steps, y: losses, isFaint: true), .init("running mean", x: steps, y: means),
        ]
        plot.yIsLogarithmic = true
        try plot.draw().writePNG(to: folder + "/loss.png")
    }
}
