public import Tensors

/// Stamps held in memory, a little larger than they are used, so that views can be cut from them.
public struct StampsInMemory: StampBatchSource {
    public let count: Int
    public let channels: Int
    public let size: Int
    /// Side of the stored stamps.
    public let side: Int
    public let augmentation: StampAugmentation
    private let pixels: [Float]

    /// - Parameters:
    ///   - pixels: count × channels × side × side numbers, normalised.
    ///   - size: side of the stamps handed out; at most `side`, at least half of it.
    /// - Throws: ``TrainingError`` if the sizes do not fit.
    public init(
        _ pixels: [Float], channels: Int, side: Int, size: Int, augmentation: StampAugmentation = StampAugmentation()
    ) throws(TrainingError) {
        let length = channels * side * side
        guard channels > 0, size > 0, size <= side, side <= 2 * size, !pixels.isEmpty, pixels.count % length == 0 else {
            throw TrainingError(
                .invalidConfiguration,
                reason: "\(pixels.count) numbers are not stamps of \(channels) × \(side) × \(side) for views of \(size)"
            )
        }
        self.pixels = pixels
        self.count = pixels.count / length
        self.channels = channels
        self.side = side
        self.size = size
        self.augmentation = augmentation
    }

    public func stamp(_ index: Int) -> [Float] { sample(index, StampView()) }

    public func augmentedStamp(_ index: Int, random: inout RandomNumbers) -> [Float] {
        sample(index, augmentation.view(random: &random))
    }

    private func sample(_ index: Int, _ view: StampView) -> [Float] {
        let length = channels * side * side
        return view.sample(
            pixels[(index * length)..<((index + 1) * length)], channels: channels, side: side, size: size)
    }
}
