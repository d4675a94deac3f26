public import Datasets
import Tensors

/// Stamps of labelled images in memory, for networks that are trained as a whole: normalised as the backbone wants them, in views
/// that augmentation chooses.
public struct LabelledStamps: StampBatchSource {
    public let normalization: StampNormalization
    public let augmentation: StampAugmentation
    private let corpus: PretrainingCorpus

    public var count: Int { corpus.count }
    public var channels: Int { 3 }
    public var size: Int { normalization.size }

    /// - Parameter corpus: pictures an eighth larger than the stamps, so that views may shift; see ``pictureSize(for:)``.
    public init(_ corpus: PretrainingCorpus, normalization: StampNormalization, augmentation: StampAugmentation) {
        self.corpus = corpus
        self.normalization = normalization
        self.augmentation = augmentation
    }

    /// Side of the pictures to keep for stamps of a size.
    public static func pictureSize(for size: Int) -> Int { size + size / 8 }

    public func stamp(_ index: Int) -> [Float] { sample(index, StampView()) }

    public func augmentedStamp(_ index: Int, random: inout RandomNumbers) -> [Float] {
        sample(index, augmentation.view(random: &random))
    }

    private func sample(_ index: Int, _ view: StampView) -> [Float] {
        let planes = corpus.withPicture(index) { samples in
            [Float](unsafeUninitializedCapacity: samples.count) { planes, count in
                normalization.normalise(
                    rgb: samples, into: UnsafeMutableBufferPointer(rebasing: planes[0..<samples.count]))
                count = samples.count
            }
        }
        return view.sample(planes[...], channels: channels, side: corpus.size, size: size)
    }
}
