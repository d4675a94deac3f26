public import Datasets
public import Tensors

/// The stamps of a ``PretrainingCorpus``, normalised as they will be at inference.
public struct CorpusStamps: StampBatchSource {
    /// How the stamps become numbers; to be stored with the model.
    public let normalization: StampNormalization
    public let augmentation: StampAugmentation
    private let corpus: PretrainingCorpus

    public var count: Int { corpus.count }
    public var channels: Int { 3 }
    public var size: Int { normalization.size }

    /// - Parameters:
    ///   - size: side of the stamps handed out, at most that of the stored pictures and at least half of it.
    ///   - crop: what of an image the corpus kept.
    /// - Throws: ``TrainingError`` if the sizes do not fit.
    public init(
        _ corpus: PretrainingCorpus, size: Int, crop: StampNormalization.Crop = .fraction(1),
        augmentation: StampAugmentation = StampAugmentation()
    ) throws(TrainingError) {
        guard size > 0, size <= corpus.size, corpus.size <= 2 * size else {
            throw TrainingError(
                .invalidConfiguration, reason: "stamps of \(size) pixels cannot be cut from pictures of \(corpus.size)")
        }
        self.corpus = corpus
        self.augmentation = augmentation
        normalization = StampNormalization(size: size, crop: crop, mean: corpus.mean, deviation: corpus.deviation)
    }

    public func stamp(_ index: Int) -> [Float] { sample(index, StampView()) }

    public func augmentedStamp(_ index: Int, random: inout RandomNumbers) -> [Float] {
        sample(index, augmentation.view(random: &random))
    }

    private func sample(_ index: Int, _ view: StampView) -> [Float] {
        let planes = corpus.withPicture(index) { samples in
            [Float](unsafeUninitializedCapacity: samples.count) { planes, initialized in
                normalization.normalise(
                    rgb: samples, into: UnsafeMutableBufferPointer(rebasing: planes[0..<samples.count]))
                initialized = samples.count
            }
        }
        return view.sample(planes[...], channels: 3, side: corpus.size, size: size)
    }
}
