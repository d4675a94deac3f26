public import Datasets
public import Inference
public import Models
import Tensors

/// Makes the vector that stands for a stamp. A value: worker threads share one.
public enum StampEncoder: Sendable {
    /// The pixels themselves, channel by channel.
    case pixels(StampNormalization)
    /// Latent vectors: of one view of the stamp, or mean and standard deviation of those of 4 (quarter turns) or 8 (mirrored too).
    case autoencoder(ConvolutionalAutoencoder, StampNormalization, views: Int)
    case backbone(Embedder)

    /// How stamps must be made.
    public var normalization: StampNormalization {
        switch self {
        case .pixels(let normalization), .autoencoder(_, let normalization, _): normalization
        case .backbone(let embedder): embedder.normalization
        }
    }

    /// Numbers in a vector.
    public var width: Int {
        switch self {
        case .pixels(let normalization): normalization.channels * normalization.size * normalization.size
        case .autoencoder(let network, _, let views): network.configuration.latent * (views > 1 ? 2 : 1)
        case .backbone(let embedder): embedder.width
        }
    }

    /// The vectors of stamps, count × width.
    ///
    /// - Parameter stamps: count × channels × size × size numbers, normalised.
    public func vectors(_ stamps: [Float], count: Int) -> [Float] {
        switch self {
        case .pixels: return stamps
        case .backbone(let embedder): return embedder.embed(stamps, count: count)
        case .autoencoder(let network, let normalization, let views):
            let first = network.embed(stamps, count: count)
            guard views > 1 else { return first }
            var (sum, squares) = (first, first.map { $0 * $0 })
            for view in 1..<views {
                let turned = Embedder.turned(stamps, side: normalization.size, view: view)
                for (index, value) in network.embed(turned, count: count).enumerated() {
                    sum[index] += value
                    squares[index] += value * value
                }
            }
            return summary(sum, squares, count: count, views: views)
        }
    }

    /// Mean of each number over the views, then its standard deviation: a galaxy that looks alike in all orientations has small
    /// ones, whichever way it is turned.
    private func summary(_ sum: [Float], _ squares: [Float], count: Int, views: Int) -> [Float] {
        let width = sum.count / max(count, 1)
        let factor = 1 / Float(views)
        var result: [Float] = []
        result.reserveCapacity(2 * sum.count)
        for row in 0..<count {
            let range = (row * width)..<((row + 1) * width)
            for index in range { result.append(sum[index] * factor) }
            for index in range {
                let mean = sum[index] * factor
                result.append(max(0, squares[index] * factor - mean * mean).squareRoot())
            }
        }
        return result
    }
}
