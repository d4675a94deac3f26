public import Datasets

extension Embedder {
    /// The same backbone for stamps that are cut in another way.
    public func cropped(_ crop: StampNormalization.Crop) -> Embedder {
        var copy = self
        copy.normalization.crop = crop
        return copy
    }
}
