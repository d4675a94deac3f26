import Figures
import Foundation
import ImageProcessing

/// How the loss fell and the signal-to-noise ratio of the validation rose, made from the files of a training run.
struct RestorationTrainingFigure {
    let folder: String

    func draw() throws {
        let (steps, losses) = try columns("loss.csv")
        var means: [Double] = []
        for loss in losses { means.append(means.last.map { $0 + 0.02 * (loss - $0) } ?? loss) }
        var plot = Plot(title: "Restoration network", xLabel: "step", yLabel: "loss")
        plot.curves = [.init("running mean", x: steps, y: means)]
        try plot.draw().writePNG(to: folder + "/loss.png")
        let (validated, negative) = try columns("validation.csv")
        plot = Plot(title: "Restoration network", xLabel: "step", yLabel: "PSNR on validation stamps, dB")
        plot.curves = [.init("validation", x: validated, y: negative.map { -$0 })]
        try plot.draw().writePNG(to: folder + "/validation.png")
    }

    private func columns(_ name: String) throws -> (x: [Double], y: [Double]) {
        let rows = try String(contentsOfFile: folder + "/" + name, encoding: .utf8).split(separator: "\n").dropFirst()
        let pairs = rows.compactMap { row -> (Double, Double)? in
            let fields = row.split(separator: ",").prefix(2).compactMap { Double($0) }
            return fields.count == 2 ? (fields[0], fields[1]) : nil
        }
        return (pairs.map(\.0), pairs.map(\.1))
    }
}
