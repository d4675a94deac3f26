public import Tensors

/// The shape of a masked autoencoder.
public struct MaskedAutoencoderConfiguration: Codable, Sendable, Hashable {
    /// The backbone that is to be trained.
    public var encoder: ViTConfiguration
    public var decoderWidth: Int
    public var decoderDepth: Int
    public var decoderHeads: Int
    /// Share of the patches that are hidden.
    public var maskRatio: Float
    /// Variance of a patch, in units of the normalised stamps, below which it counts less and less; 0 for the published loss.
    ///
    /// With targets normalised by the variance of their own patch, a patch of empty sky weighs as much as a spiral arm, and on large
    /// stamps most patches are sky.
    public var noiseVariance: Float

    public init(
        encoder: ViTConfiguration, decoderWidth: Int, decoderDepth: Int, decoderHeads: Int, maskRatio: Float = 0.75,
        noiseVariance: Float = 0
    ) {
        self.encoder = encoder
        self.decoderWidth = decoderWidth
        self.decoderDepth = decoderDepth
        self.decoderHeads = decoderHeads
        self.maskRatio = maskRatio
        self.noiseVariance = noiseVariance
    }

    /// A small one: ``ViTConfiguration/stamp64`` with a decoder of one block. A deeper decoder takes time from the
    /// encoder without a better embedding at this size.
    public static let stamp64 = Self(encoder: .stamp64, decoderWidth: 96, decoderDepth: 1, decoderHeads: 3)

    /// ``ViTConfiguration/stamp128`` with a decoder of two narrow blocks.
    public static let stamp128 = Self(encoder: .stamp128, decoderWidth: 128, decoderDepth: 2, decoderHeads: 4)

    func validate() throws(ModelError) {
        try encoder.validate()
        guard decoderWidth > 0, decoderDepth > 0, decoderHeads > 0, decoderWidth % decoderHeads == 0 else {
            throw ModelError(
                .invalidConfiguration, reason: "a decoder of width \(decoderWidth) and \(decoderHeads) heads")
        }
        guard maskRatio > 0, maskRatio < 1, encoder.gridSize > 1, noiseVariance >= 0 else {
            throw ModelError(.invalidConfiguration, reason: "mask ratio \(maskRatio) is not between 0 and 1")
        }
    }
}

/// A masked autoencoder (He et al. 2021, arXiv 2111.06377): most patches of an image are hidden, the encoder sees the
/// others only, and a light decoder predicts the hidden ones. What the encoder must know for that is its use afterwards.
///
/// Parameter names are those of the published code: the encoder's without prefix, then `decoder_embed`,
/// `decoder_mask_token`, `decoder_pos_embed`, `decoder_blocks.i`, `decoder_norm`, `decoder_pred`. So a file of all of
/// them loads as a ``VisionTransformer`` too.
public struct MaskedAutoencoder: Module {
    public let configuration: MaskedAutoencoderConfiguration
    public var encoder: VisionTransformer
    var decoderEmbedding: Linear
    /// (1, 1, decoder width): stands for every hidden patch.
    var maskToken: Tensor
    var decoderPositions: PositionEmbedding
    var decoderBlocks: [TransformerBlock]
    var decoderNorm: LayerNormalization
    var prediction: Linear

    /// A network with random weights.
    public init(
        _ configuration: MaskedAutoencoderConfiguration, seed: UInt64, backend: any Backend
    ) throws(ModelError) {
        try self.init(configuration, from: .random(seed: seed, on: backend))
    }

    /// A network whose parameters come from a source.
    public init(_ configuration: MaskedAutoencoderConfiguration, from source: ParameterSource) throws(ModelError) {
        try configuration.validate()
        let (outer, width) = (configuration.encoder, configuration.decoderWidth)
        self.configuration = configuration
        encoder = try VisionTransformer(outer, from: source)
        decoderEmbedding = Linear(outer.width, width, from: source["decoder_embed"])
        maskToken = source("decoder_mask_token", [1, 1, width], .truncatedNormal(0.02))
        decoderPositions = PositionEmbedding(
            gridSize: outer.gridSize, prefixCount: 0, width: width, interpolation: outer.interpolation,
            from: source.prefixed("decoder_"))
        decoderBlocks = (0..<configuration.decoderDepth).map {
            TransformerBlock(
                width: width, heads: configuration.decoderHeads, hidden: 4 * width, from: source["decoder_blocks"][$0])
        }
        decoderNorm = LayerNormalization(width, epsilon: outer.normEpsilon, from: source["decoder_norm"])
        prediction = Linear(
            width, outer.channels * outer.patchSize * outer.patchSize, from: source["decoder_pred"])
    }

    /// The mean squared error over hidden patches, each normalised to mean 0 and variance 1: a scalar.
    ///
    /// - Parameter images: (B, C, S, S) of the configured size, normalised.
    public func loss(_ images: Tensor, mask: PatchMask, _ execution: Execution = Execution()) -> Tensor {
        let patches = images.patchify(configuration.encoder.patchSize)
        let predicted = predict(patches, mask: mask, execution)
        return predicted.maskedPatchError(
            patches, mask: mask.hidden(on: images.backend), normalizing: true,
            noiseVariance: configuration.noiseVariance)
    }

    /// Predictions for all patches, (B, N, C·p·p), from those that the mask leaves visible.
    public func predict(_ patches: Tensor, mask: PatchMask, _ execution: Execution) -> Tensor {
        let indices = mask.visibleIndices(on: patches.backend)
        let (batch, count) = (patches.shape[0], configuration.encoder.gridSize * configuration.encoder.gridSize)

        let visible = patches.gatherTokens(indices).cast(to: execution.precision.activations)
        let positions = encoder.positionEmbedding.patches(
            rows: configuration.encoder.gridSize, columns: configuration.encoder.gridSize)
        let seen = positions.reshape([count, -1]).gather(rows: indices.reshape([-1]))
            .reshape([batch, mask.visibleCount, -1])
        let tokens = encoder.encode(encoder.patchEmbedding.project(visible) + seen, execution)

        let narrow = tokens.dense([decoderEmbedding.layer()], precision: execution.precision, output: .float32)
        let prefix = configuration.encoder.prefixCount
        let filled =
            narrow.slice(axis: 1, prefix..<narrow.shape[1]).scatterTokens(indices, count: count)
            + mask.hidden(on: patches.backend).reshape([batch, count, 1]) * maskToken
            + decoderPositions.patches(
                rows: configuration.encoder.gridSize, columns: configuration.encoder.gridSize)
        var x = Tensor.concat([narrow.slice(axis: 1, 0..<prefix), filled], axis: 1)
        for block in decoderBlocks { x = block(x, execution) }
        return x.slice(axis: 1, prefix..<x.shape[1]).dense(
            [prediction.layer(norm: decoderNorm)], precision: execution.precision, output: .float32)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try encoder.forEachParameter(at: path, body)
        try decoderEmbedding.forEachParameter(at: path + "decoder_embed.", body)
        try body(Parameter(path + "decoder_mask_token", .embedding), &maskToken)
        try decoderPositions.forEachParameter(at: path + "decoder_", body)
        for index in decoderBlocks.indices {
            try decoderBlocks[index].forEachParameter(at: "\(path)decoder_blocks.\(index).", body)
        }
        try decoderNorm.forEachParameter(at: path + "decoder_norm.", body)
        try prediction.forEachParameter(at: path + "decoder_pred.", body)
    }
}
