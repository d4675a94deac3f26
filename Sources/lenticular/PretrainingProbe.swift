import Datasets
import Figures
import Foundation
import ImageProcessing
import Kernels
import Models
import Tensors
import Training

/// Judges a backbone while it is trained: how often the nearest neighbours of labelled stamps have the same class. The labels
/// have no influence on the training.
struct PretrainingProbe {
    /// Channels × size × size each.
    private let stamps: [[Float]]
    private let labels: [Int]
    private var log: StepLog

    /// - Parameters:
    ///   - limit: of the number of labelled stamps; they are spread over the table.
    ///   - step: of the checkpoint that the run goes on from; later rows of the log are dropped.
    init(
        _ table: ProbeLabels, objects: [ObjectFiles], normalization: StampNormalization, limit: Int,
        folder: String, step: Int
    ) throws {
        let (objects, labels, _) = try table.labelled(objects)
        let reader = StampReader(normalization: normalization)
        let stride = max(1, objects.count / limit)
        var (stamps, classes): ([[Float]], [Int]) = ([], [])
        for index in Swift.stride(from: 0, to: objects.count, by: stride) {
            guard let stamp = try? reader.stamp(of: objects[index]) else { continue }
            stamps.append(stamp.values)
            classes.append(labels[index])
        }
        self.stamps = stamps
        self.labels = classes
        log = try StepLog(path: folder + "/probe.csv", columns: "step,neighbour_accuracy", keepingSteps: step)
    }

    /// The share of the stamps whose 15 nearest others vote for their class; also a row of probe.csv.
    mutating func look(at backbone: VisionTransformer, step: Int, parallel: DataParallel) throws -> Double {
        var embeddings = [[Float]](repeating: [], count: stamps.count)
        let size = backbone.configuration.imageSize
        embeddings.withUnsafeMutableBufferPointer { embeddings in
            let (embeddings, stamps) = (embeddings, stamps)
            parallel.pool.parallelFor((stamps.count + 15) / 16) { batch in
                let range = (16 * batch)..<min(16 * batch + 16, stamps.count)
                let values = backbone.embed(
                    batch: range.flatMap { stamps[$0] }, count: range.count, height: size, width: size)
                let width = values.count / range.count
                for (place, index) in range.enumerated() {
                    embeddings[index] = Array(values[(place * width)..<((place + 1) * width)])
                }
            }
        }
        let probe = try EmbeddingProbe(
            embeddings.flatMap { $0 }, width: backbone.configuration.embeddingWidth, labels: labels,
            on: CPUBackend(threads: 1))
        let accuracy = probe.nearestNeighbourAccuracy()
        try log.append("\(step),\(accuracy)")
        try log.flush()
        return accuracy
    }

    /// probe.png beside the log.
    static func draw(folder: String) throws {
        guard let text = try? String(contentsOfFile: folder + "/probe.csv", encoding: .utf8) else { return }
        let rows = text.split(separator: "\n").dropFirst().map { $0.split(separator: ",").compactMap { Double($0) } }
        guard rows.count > 1, rows.allSatisfy({ $0.count == 2 }) else { return }
        var plot = Plot(
            title: "15 nearest neighbours of frozen embeddings", xLabel: "step", yLabel: "accuracy (leave one out)")
        plot.curves = [.init("labelled stamps", x: rows.map { $0[0] }, y: rows.map { $0[1] })]
        try plot.draw().writePNG(to: folder + "/probe.png")
    }
}
