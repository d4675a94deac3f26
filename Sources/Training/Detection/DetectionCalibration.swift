import ImageProcessing
import Inference
import Kernels
public import Models
import Synchronization

/// Chooses how sure a detection network has to be: the threshold of the score with the highest F1 on fields that it was not
/// trained on.
public enum DetectionCalibration {
    /// Signal-to-noise ratio of a matched filter from which on true sources are asked for.
    public static let minimumSignificance = 5.0

    /// - Returns: the network with its threshold, and the scores of the fields.
    public static func calibrate(
        _ network: DetectionNetwork, on examples: [DetectionExample], workers: Int
    ) -> (network: DetectionNetwork, scores: DetectionScores) {
        var thresholds = network.configuration.thresholds
        thresholds.centre = 0.1
        let grouping = SourceGrouping(thresholds)
        let tiled = TiledNetwork(network, workers: 1)
        let matchings = Mutex([DetectionMatching?](repeating: nil, count: examples.count))
        WorkerPool(threads: workers).parallelFor(examples.count) { index in
            let image = examples[index].image
            let maps = tiled.maps(
                significance: image.significance, mask: image.mask, width: image.width, height: image.height)
            let found = grouping.segmentation(of: maps, in: image)
            let matching = DetectionMatching(
                found, scores: found.sources.map(\.probability), truth: examples[index].truth,
                criterion: .segments(0.5), minimumSignificance: minimumSignificance)
            matchings.withLock { $0[index] = matching }
        }
        let all = matchings.withLock { $0.compactMap { $0 } }
        thresholds.centre = DetectionScores.bestThreshold(all).map(Float.init) ?? thresholds.centre
        return (
            network.with(thresholds: thresholds), DetectionScores(all, threshold: Double(thresholds.centre))
        )
    }
}
