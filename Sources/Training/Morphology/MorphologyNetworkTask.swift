import Kernels
import Models
import Tensors

/// Backbone and head learn together from augmented stamps.
struct MorphologyNetworkTask: TrainingTask {
    let target: MorphologyTarget
    let stamps: any StampBatchSource
    let labels: MorphologyLabels
    let train: [Int]
    let validation: [Int]
    let dropout: Float
    let smoothing: Float

    var sampleCount: Int { train.count }

    func loss(_ network: MorphologyNetwork, _ samples: [TrainingSample], _ execution: Execution) throws -> Tensor {
        var pixels: [Float] = []
        var truth: [Float] = []
        for sample in samples {
            var random = sample.random
            pixels += try stamps.augmentedStamp(train[sample.index], random: &random)
            truth += labels.value(train[sample.index])
        }
        var random = samples[0].auxiliaryRandom
        let features = network.features(images(pixels, samples.count, network), execution)
        let losses = network.head.memberLogits(features, dropout: dropout, random: &random).map {
            target.loss($0, truth, smoothing: smoothing)
        }
        return losses.dropFirst().reduce(losses[0], +)
    }

    func validation(
        _ network: MorphologyNetwork, _ execution: Execution, _ parallel: DataParallel
    ) throws -> Double? {
        guard !validation.isEmpty else { return nil }
        let logits = try self.logits(of: validation, network, execution, parallel, views: [StampView()])
        let backend = network.head.inputMean.backend
        let truth = validation.flatMap { labels.value($0) }
        return Double(
            target.loss(Tensor(logits, shape: [validation.count, target.outputCount], on: backend), truth).scalar)
    }

    /// Logits of some images, averaged over views, row by row.
    func logits(
        of indices: [Int], _ network: MorphologyNetwork, _ execution: Execution, _ parallel: DataParallel,
        views: [StampView]
    ) throws -> [Float] {
        let batch = 16
        let pieces = (indices.count + batch - 1) / batch
        var results = [Result<[Float], any Error>?](repeating: nil, count: pieces)
        results.withUnsafeMutableBufferPointer { results in
            let results = results
            parallel.pool.parallelFor(pieces) { piece in
                results[piece] = Result {
                    let part = indices[(piece * batch)..<min((piece + 1) * batch, indices.count)]
                    let pixels = try part.flatMap { try stamps.stamp($0) }
                    var sum: [Float] = []
                    for view in views {
                        let turned =
                            view == StampView()
                            ? pixels : Self.viewed(pixels, view, count: part.count, stamps: stamps)
                        let logits = network.head(
                            network.features(images(turned, part.count, network), execution)
                        ).floats()
                        if sum.isEmpty { sum = logits } else { for i in sum.indices { sum[i] += logits[i] } }
                    }
                    return sum.map { $0 / Float(views.count) }
                }
            }
        }
        return try results.flatMap { try $0!.get() }
    }

    private func images(_ pixels: [Float], _ count: Int, _ network: MorphologyNetwork) -> Tensor {
        Tensor(
            pixels, shape: [count, stamps.channels, stamps.size, stamps.size], on: network.head.inputMean.backend)
    }

    private static func viewed(
        _ pixels: [Float], _ view: StampView, count: Int, stamps: any StampBatchSource
    ) -> [Float] {
        let length = pixels.count / count
        return (0..<count).flatMap {
            view.sample(
                pixels[($0 * length)..<(($0 + 1) * length)], channels: stamps.channels, side: stamps.size,
                size: stamps.size)
        }
    }
}
