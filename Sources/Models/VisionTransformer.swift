public import Kernels
public import Tensors

/// A vision transformer (arXiv 2010.11929): images in, tokens or one embedding an image out.
///
/// ```swift
/// let backend = CPUBackend(threads: 1)
/// let model = try VisionTransformer.load(path: "vit.safetensors", backend: backend)
/// let embeddings = model.embed(batch: pixels, count: 16)      // 16 × model.configuration.embeddingWidth
/// ```
///
/// Parameter names are timm's: `cls_token`, `reg_token`, `pos_embed`, `patch_embed.proj`, `blocks.i.…`, `norm`.
public struct VisionTransformer: Module {
    public let configuration: ViTConfiguration
    public var patchEmbedding: PatchEmbedding
    /// (1, 1, width)
    public var classToken: Tensor
    /// (1, registers, width), or nil.
    public var registerTokens: Tensor?
    public var positionEmbedding: PositionEmbedding
    public var blocks: [TransformerBlock]
    public var norm: LayerNormalization

    /// A network with random weights, for training.
    public init(_ configuration: ViTConfiguration, seed: UInt64, backend: any Backend) throws(ModelError) {
        try self.init(configuration, from: .random(seed: seed, on: backend))
    }

    /// A network whose parameters come from a source.
    public init(_ configuration: ViTConfiguration, from source: ParameterSource) throws(ModelError) {
        try configuration.validate()
        let width = configuration.width
        self.configuration = configuration
        patchEmbedding = PatchEmbedding(
            channels: configuration.channels, patchSize: configuration.patchSize, width: width,
            from: source["patch_embed"])
        classToken = source("cls_token", [1, 1, width], .truncatedNormal(0.02))
        registerTokens =
            configuration.registers > 0
            ? source("reg_token", [1, configuration.registers, width], .truncatedNormal(0.02)) : nil
        positionEmbedding = PositionEmbedding(
            gridSize: configuration.gridSize, prefixCount: configuration.prefixPositions, width: width,
            interpolation: configuration.interpolation, from: source)
        blocks = (0..<configuration.depth).map {
            TransformerBlock(
                width: width, heads: configuration.heads, hidden: configuration.hiddenWidth,
                qkvBias: configuration.qkvBias, layerScale: configuration.layerScale,
                epsilon: configuration.normEpsilon, from: source["blocks"][$0])
        }
        norm = LayerNormalization(width, epsilon: configuration.normEpsilon, from: source["norm"])
    }

    /// The backend that the parameters live on.
    public var backend: any Backend { classToken.backend }

    /// The precision that the product weights are stored in.
    public var precision: Precision { patchEmbedding.weight.dtype == .float32 ? .float32 : .bfloat16 }

    // MARK: - Forward

    /// Tokens after the final norm, (B, 1 + registers + patches, width) in float32: class, registers, patches row by row.
    ///
    /// - Parameter images: (B, C, H, W) float32, normalised as in training; H and W multiples of the patch size, of any
    ///   size: positions are interpolated.
    public func callAsFunction(_ images: Tensor, _ execution: Execution = Execution()) -> Tensor {
        let (rows, columns) = grid(of: images)
        let tokens = encode(positioned(images, execution), gridWidth: columns, execution)
        guard execution.order != .rows else { return tokens }
        // Back to rows: the token of each cell.
        let prefix = configuration.prefixCount
        var places = [Int32](repeating: 0, count: rows * columns)
        for (place, cell) in execution.order.cells(width: columns, height: rows).enumerated() {
            places[cell] = Int32(place)
        }
        let patches = tokens.slice(axis: 1, prefix..<tokens.shape[1]).gatherTokens(indices(places, images.shape[0]))
        return Tensor.concat([tokens.slice(axis: 1, 0..<prefix), patches], axis: 1)
    }

    /// Rows and columns of patches.
    private func grid(of images: Tensor) -> (rows: Int, columns: Int) {
        (images.shape[2] / configuration.patchSize, images.shape[3] / configuration.patchSize)
    }

    /// The same indices for each image of a batch.
    private func indices(_ values: [Int32], _ batch: Int) -> Tensor {
        Tensor(
            indices: [[Int32]](repeating: values, count: batch).flatMap { $0 }, shape: [batch, values.count],
            on: backend)
    }

    /// Patch tokens with their positions, (B, patches, width), in the order of the execution.
    func positioned(_ images: Tensor, _ execution: Execution) -> Tensor {
        let (rows, columns) = grid(of: images)
        let patches = patchEmbedding(images, execution) + positionEmbedding.patches(rows: rows, columns: columns)
        guard execution.order != .rows else { return patches }
        let cells = execution.order.cells(width: columns, height: rows).map(Int32.init)
        return patches.gatherTokens(indices(cells, images.shape[0]))
    }

    /// Patch tokens that carry their positions, (B, K, width), through prefix, blocks and final norm: all patches of an
    /// image, or those that a mask left.
    ///
    /// - Parameters:
    ///   - kept: return only the first tokens, so many of them: in the last block the others are keys and values, but
    ///     nothing else is computed for them.
    ///   - gridWidth: patches in a row, where they are a whole image, in the order of the execution.
    public func encode(_ patches: Tensor, kept: Int? = nil, gridWidth: Int? = nil, _ execution: Execution) -> Tensor {
        let layout = TokenLayout(
            leadingTokens: configuration.prefixCount, gridWidth: gridWidth ?? 0, order: execution.order)
        var x = Tensor.concat(prefixTokens(batch: patches.shape[0]) + [patches], axis: 1)
        for (index, block) in blocks.enumerated() {
            x = block(x, kept: index == blocks.count - 1 ? kept : nil, layout: layout, execution)
        }
        return norm(x)
    }

    /// Class and register tokens with the positions they have, for each image.
    func prefixTokens(batch: Int) -> [Tensor] {
        let width = configuration.width
        var parts = [classToken] + (registerTokens.map { [$0] } ?? [])
        if let positions = positionEmbedding.prefix {
            if configuration.positionCoverage == .all {
                parts = [Tensor.concat(parts, axis: 1) + positions]
            } else {
                parts[0] = parts[0] + positions
            }
        }
        return parts.map { $0.broadcast(to: [batch, $0.shape[1], width]) }
    }

    /// One vector an image from tokens, as the configuration's pooling says: (B, embeddingWidth).
    public func pool(_ tokens: Tensor) -> Tensor {
        let batch = tokens.shape[0]
        func classToken() -> Tensor { tokens.slice(axis: 1, 0..<1).reshape([batch, configuration.width]) }
        func mean() -> Tensor { tokens.slice(axis: 1, configuration.prefixCount..<tokens.shape[1]).mean(axes: [1]) }
        switch configuration.pooling {
        case .classToken: return classToken()
        case .meanToken: return mean()
        case .classAndMean: return Tensor.concat([classToken(), mean()], axis: 1)
        }
    }

    /// Embeddings of a batch of images in memory.
    ///
    /// May be called from several threads at once on one model, if its backend is single-threaded: one such worker a
    /// core is the fast way to embed many images.
    /// - Parameters:
    ///   - batch: count × channels × height × width numbers, normalised as in training.
    ///   - count: number of images.
    ///   - height, width: of the images, multiples of the patch size; the configured size by default.
    ///   - precision: of the products; by default that of the weights. Weights are converted once for each precision in
    ///     use; a model loaded in the precision wanted, or ``Module/converted(to:)``, keeps no others.
    ///   - attention: which kernel.
    ///   - order: in which order patches pass through the network.
    /// - Returns: count × embeddingWidth numbers.
    public func embed(
        batch: [Float], count: Int, height: Int? = nil, width: Int? = nil, precision: Precision? = nil,
        attention: AttentionVariant = .automatic, order: GridOrder = .rows
    ) -> [Float] {
        let shape = [
            count, configuration.channels, height ?? configuration.imageSize, width ?? configuration.imageSize,
        ]
        let images = Tensor(batch, shape: shape, on: backend)
        let execution = Execution(precision: precision ?? self.precision, attention: attention, order: order)
        let kept = configuration.pooling == .classToken ? 1 : nil
        return pool(
            encode(positioned(images, execution), kept: kept, gridWidth: grid(of: images).columns, execution)
        ).floats()
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "cls_token", .embedding), &classToken)
        if var tensor = registerTokens {
            try body(Parameter(path + "reg_token", .embedding), &tensor)
            registerTokens = tensor
        }
        try positionEmbedding.forEachParameter(at: path, body)
        try patchEmbedding.forEachParameter(at: path + "patch_embed.", body)
        for index in blocks.indices { try blocks[index].forEachParameter(at: "\(path)blocks.\(index).", body) }
        try norm.forEachParameter(at: path + "norm.", body)
    }
}
