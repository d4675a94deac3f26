public import Datasets
public import Models
public import Tensors

/// The backbone as the morphology task uses it: stamps in, vectors out. Everything that depends on which backbone ships is here.
public struct MorphologyBackbone: Sendable {
    public let model: VisionTransformer
    /// How stamps must be made.
    public let normalization: StampNormalization
    public let execution: Execution

    /// Side of a stamp, pixels.
    public var stampSize: Int { normalization.size }
    public var channels: Int { model.configuration.channels }
    /// Width of a token.
    public var width: Int { model.configuration.width }

    /// Loads a checkpoint.
    ///
    /// - Parameter crop: what of an image is seen; as in the backbone's training by default.
    /// - Throws: `InferenceError`.
    public init(
        path: String, crop: StampNormalization.Crop? = nil, precision: Precision = .float32
    ) throws(InferenceError) {
        let embedder = try Embedder(path: path, precision: precision)
        var normalization = embedder.normalization
        if let crop { normalization.crop = crop }
        self.init(embedder.model, normalization: normalization, precision: precision)
    }

    public init(_ model: VisionTransformer, normalization: StampNormalization, precision: Precision = .float32) {
        self.model = model
        self.normalization = normalization
        execution = Execution(precision: precision)
    }

    /// Numbers in a stamp.
    public var stampLength: Int { channels * stampSize * stampSize }

    /// Stamps as a tensor (B, C, size, size).
    public func images(_ stamps: [Float]) -> Tensor {
        Tensor(
            stamps, shape: [stamps.count / stampLength, channels, stampSize, stampSize], on: model.backend)
    }

    /// Stamps as they would look turned by quarters, and from the fourth view on mirrored first.
    public func turned(_ stamps: [Float], view: Int) -> [Float] {
        view == 0 ? stamps : Embedder.turned(stamps, side: stampSize, view: view)
    }

    /// The pooled vectors of stamps, averaged over views, count × width.
    ///
    /// May be called from several threads at once.
    /// - Parameters:
    ///   - stamps: count × channels × size × size numbers.
    ///   - views: 1, 4 (quarter turns) or 8 (and their mirror images).
    public func features(of stamps: [Float], pooling: MorphologyPooling, views: Int) -> [Float] {
        var sum: [Float] = []
        for view in 0..<views {
            let part = pooling.features(of: images(turned(stamps, view: view)), model, execution).floats()
            if sum.isEmpty { sum = part } else { for index in sum.indices { sum[index] += part[index] } }
        }
        return views == 1 ? sum : sum.map { $0 / Float(views) }
    }
}
