import Datasets
import Models
import Tensors

extension Embedder {
    /// Where the backbone looks: the class token's attention to the patches of a stamp in the last block, side × side weights; nil
    /// for a backbone that does not read its class token.
    public func classAttention(_ stamp: [Float]) -> (weights: [Float], side: Int)? {
        guard model.configuration.pooling != .meanToken else { return nil }
        let size = normalization.size
        let image = Tensor(stamp, shape: [1, normalization.channels, size, size], on: model.backend)
        return (model.classAttention(of: image, execution), size / model.configuration.patchSize)
    }
}
