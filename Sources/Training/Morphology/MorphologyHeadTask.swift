import Models
import Tensors

/// A head learns from vectors that the backbone made before.
struct MorphologyHeadTask: TrainingTask {
    let target: MorphologyTarget
    /// Rows of all images, of which some are trained on.
    let features: MorphologyFeatures
    /// Labels of all images.
    let labels: [Float]
    /// Images to train on.
    let train: [Int]
    let dropout: Float
    let smoothing: Float

    var sampleCount: Int { train.count }

    func loss(_ network: MorphologyHead, _ samples: [TrainingSample], _ execution: Execution) throws -> Tensor {
        let indices = samples.map { train[$0.index] }
        var random = samples[0].auxiliaryRandom
        let truth = indices.flatMap { labels[($0 * target.labelWidth)..<(($0 + 1) * target.labelWidth)] }
        let logits = network.memberLogits(
            features.rows(indices, on: network.inputMean.backend), dropout: dropout, random: &random)
        let losses = logits.map { target.loss($0, truth, smoothing: smoothing) }
        return losses.dropFirst().reduce(losses[0], +)
    }
}

/// Pooled vectors of images.
public struct MorphologyFeatures: Sendable {
    public let width: Int
    public let values: [Float]

    public var count: Int { values.count / width }

    /// - Parameter values: count × width numbers.
    public init(_ values: [Float], width: Int) {
        precondition(width > 0 && values.count % width == 0, "[MorphologyFeatures] expected rows of width \(width)")
        self.width = width
        self.values = values
    }

    /// Some rows, (indices, width).
    func rows(_ indices: [Int], on backend: any Backend) -> Tensor {
        Tensor(numbers(indices), shape: [indices.count, width], on: backend)
    }

    /// Some rows, one after the other.
    public func numbers(_ indices: [Int]) -> [Float] {
        [Float](unsafeUninitializedCapacity: indices.count * width) { buffer, count in
            values.withUnsafeBufferPointer { source in
                for (row, index) in indices.enumerated() {
                    (buffer.baseAddress! + row * width).update(from: source.baseAddress! + index * width, count: width)
                }
            }
            count = indices.count * width
        }
    }

    /// Logits of some rows by a head, row by row.
    package func logits(_ head: MorphologyHead, _ indices: [Int]) -> [Float] {
        stride(from: 0, to: indices.count, by: 1024).flatMap { start in
            head(rows(Array(indices[start..<min(start + 1024, indices.count)]), on: head.inputMean.backend)).floats()
        }
    }
}
