public import Datasets
public import Inference
public import Models
import Tensors

/// Makes the vector that stands for a stamp. A value: worker threads share one.
public enum StampEncoder: Sendable {
    /// The pixels themselves, channel by channel.
    case pixels(StampNormalization)
    /// Latent vectors, the mean of those of the stamp in 1, 4 (quarter turns) or 8 (mirrored too) views.
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
        case .autoencoder(let network, _, _): network.configuration.latent
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
            var sum = network.embed(stamps, count: count)
            for view in 1..<max(views, 1) {
                let turned = Embedder.turned(stamps, side: normalization.size, view: view)
                for (index, value) in network.embed(turned, count: count).enumerated() { sum[index] += value }
            }
            let factor = 1 / Float(max(views, 1))
            return views > 1 ? sum.map { $0 * factor } : sum
        }
    }
}
