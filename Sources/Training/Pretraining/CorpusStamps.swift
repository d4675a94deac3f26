public import Datasets
public import ImageProcessing
public import Tensors

/// The stamps of a ``PretrainingCorpus``, normalised as they will be at inference.
public struct CorpusStamps: StampBatchSource {
    /// How the stamps become numbers; to be stored with the model.
    public let normalization: StampNormalization
    public let augmentation: StampAugmentation
    private let corpus: PretrainingCorpus

    public var count: Int { corpus.count }
    public var channels: Int { normalization.channels }
    public var size: Int { normalization.size }

    /// - Parameters:
    ///   - size: side of the stamps handed out, at most that of the stored pictures and at least half of it.
    ///   - crop: what of an image the corpus kept.
    ///   - spectrum: wavelengths of the channels.
    /// - Throws: ``TrainingError`` if the sizes do not fit.
    public init(
        _ corpus: PretrainingCorpus, size: Int, crop: StampNormalization.Crop = .fraction(1),
        spectrum: SpectralGrid = .optical, augmentation: StampAugmentation = StampAugmentation()
    ) throws(TrainingError) {
        guard size > 0, size <= corpus.size, corpus.size <= 2 * size else {
            throw TrainingError(
                .invalidConfiguration, reason: "stamps of \(size) pixels cannot be cut from pictures of \(corpus.size)")
        }
        self.init(
            corpus,
            normalization: StampNormalization(
                size: size, crop: crop, spectrum: spectrum,
                mean: [Float](repeating: corpus.mean, count: spectrum.count),
                deviation: [Float](repeating: corpus.deviation, count: spectrum.count)),
            augmentation: augmentation)
    }

    /// Stamps for a model that exists.
    ///
    /// - Parameter corpus: of pictures an eighth larger than the stamps, so that views may shift; see ``pictureSize(for:)``.
    public init(_ corpus: PretrainingCorpus, normalization: StampNormalization, augmentation: StampAugmentation) {
        self.corpus = corpus
        self.normalization = normalization
        self.augmentation = augmentation
    }

    /// Side of the pictures to keep for stamps of a size.
    public static func pictureSize(for size: Int) -> Int { size + size / 8 }

    public func stamp(_ index: Int) -> [Float] {
        let (planes, wavelengths) = corpus.picture(index)
        let seen = StampView().sample(planes[...], channels: wavelengths.count, side: corpus.size, size: size)
        return normalization.normalise(brightness: seen, wavelengths: wavelengths)
    }

    public func augmentedStamp(_ index: Int, random: inout RandomNumbers) -> [Float] {
        var (planes, wavelengths) = corpus.picture(index)
        augmentation.dropBands(&planes, &wavelengths, random: &random)
        let view = augmentation.view(random: &random)
        var seen = view.sample(planes[...], channels: wavelengths.count, side: corpus.size, size: size)
        augmentation.degrade(&seen, channels: wavelengths.count, size: size, random: &random)
        return normalization.normalise(brightness: seen, wavelengths: wavelengths)
    }
}
