/// The shape of a vision transformer; stored as JSON in the metadata of its checkpoint.
public struct ViTConfiguration: Codable, Sendable, Hashable {
    /// Which tokens the position embedding covers.
    public enum PositionCoverage: String, Codable, Sendable {
        /// Patches only (timm's `no_embed_class`).
        case patches
        /// The class token and patches; registers have none (DINOv2).
        case classAndPatches
        /// Class, registers and patches (timm).
        case all
    }

    /// What stands for the whole image.
    public enum Pooling: String, Codable, Sendable, CaseIterable {
        case classToken
        /// The mean over patch tokens.
        case meanToken
        /// Class token and mean, one after the other.
        case classAndMean
    }

    /// Side of the images that the positions are for, pixels.
    public var imageSize: Int
    /// Side of a patch, pixels.
    public var patchSize: Int
    public var channels: Int
    /// Width of a token.
    public var width: Int
    /// Number of blocks.
    public var depth: Int
    public var heads: Int
    /// Width inside the feed-forward part.
    public var hiddenWidth: Int
    /// Learned tokens that carry no image (arXiv 2309.16588).
    public var registers: Int
    public var positionCoverage: PositionCoverage
    public var interpolation: PositionEmbedding.Interpolation
    /// Whether residual branches have a learned scale.
    public var layerScale: Bool
    /// Whether the product for queries, keys and values has a bias.
    public var qkvBias: Bool
    public var normEpsilon: Float
    public var pooling: Pooling

    public init(
        imageSize: Int, patchSize: Int, channels: Int = 3, width: Int, depth: Int, heads: Int, hiddenWidth: Int? = nil,
        registers: Int = 0, positionCoverage: PositionCoverage = .classAndPatches,
        interpolation: PositionEmbedding.Interpolation = .antialiased, layerScale: Bool = false, qkvBias: Bool = true,
        normEpsilon: Float = 1e-6, pooling: Pooling = .classToken
    ) {
        self.imageSize = imageSize
        self.patchSize = patchSize
        self.channels = channels
        self.width = width
        self.depth = depth
        self.heads = heads
        self.hiddenWidth = hiddenWidth ?? 4 * width
        self.registers = registers
        self.positionCoverage = positionCoverage
        self.interpolation = interpolation
        self.layerScale = layerScale
        self.qkvBias = qkvBias
        self.normEpsilon = normEpsilon
        self.pooling = pooling
    }

    // MARK: - Published sizes

    /// ViT-Tiny: 5.7 million parameters.
    public static func tiny(imageSize: Int = 224, patchSize: Int = 16) -> Self {
        Self(imageSize: imageSize, patchSize: patchSize, width: 192, depth: 12, heads: 3)
    }

    /// ViT-Small: 22 million parameters.
    public static func small(imageSize: Int = 224, patchSize: Int = 16) -> Self {
        Self(imageSize: imageSize, patchSize: patchSize, width: 384, depth: 12, heads: 6)
    }

    /// ViT-Base: 86 million parameters.
    public static func base(imageSize: Int = 224, patchSize: Int = 16) -> Self {
        Self(imageSize: imageSize, patchSize: patchSize, width: 768, depth: 12, heads: 12)
    }

    // MARK: - For stamps of galaxies

    /// 64-pixel stamps, 64 patches, 2.7 million parameters: small enough to pre-train on two cores in half an hour.
    public static let stamp64 = Self(
        imageSize: 64, patchSize: 8, width: 192, depth: 6, heads: 3, positionCoverage: .patches)

    /// 128-pixel stamps of eight wavelengths, 256 patches, 5.7 million parameters: the default backbone.
    public static let stamp128 = Self(
        imageSize: 128, patchSize: 8, channels: 8, width: 256, depth: 7, heads: 4, positionCoverage: .patches)

    /// 256-pixel stamps, 256 patches, 22 million parameters.
    public static let stamp256 = Self(
        imageSize: 256, patchSize: 16, width: 384, depth: 12, heads: 6, registers: 4, positionCoverage: .patches)

    // MARK: - Derived

    /// Patches on a side of an image of the configured size.
    public var gridSize: Int { imageSize / patchSize }
    /// Tokens before the patches: class and registers.
    public var prefixCount: Int { 1 + registers }
    /// Length of an embedding.
    public var embeddingWidth: Int { pooling == .classAndMean ? 2 * width : width }
    /// Prefix tokens that have a position.
    var prefixPositions: Int {
        switch positionCoverage {
        case .patches: 0
        case .classAndPatches: 1
        case .all: 1 + registers
        }
    }

    /// Multiply-adds of one image of the configured size, times two: products and attention, nothing else.
    public var floatingPointOperations: Double {
        let tokens = Double(prefixCount + gridSize * gridSize)
        let (width, hidden) = (Double(width), Double(hiddenWidth))
        let block = tokens * (4 * width * width + 2 * width * hidden) + 2 * tokens * tokens * width
        return 2 * (Double(depth) * block + tokens * width * Double(channels * patchSize * patchSize))
    }

    /// Throws if no network can have this shape.
    func validate() throws(ModelError) {
        func check(_ condition: Bool, _ reason: @autoclosure () -> String) throws(ModelError) {
            guard condition else { throw ModelError(.invalidConfiguration, reason: reason()) }
        }
        let lengths = [imageSize, patchSize, channels, width, depth, heads, hiddenWidth]
        try check(lengths.allSatisfy { (1...65_536).contains($0) } && (0...1024).contains(registers), "\(self)")
        try check(imageSize % patchSize == 0, "image size \(imageSize) is not a multiple of patch size \(patchSize)")
        try check(width % heads == 0, "width \(width) is not a multiple of \(heads) heads")
        try check(normEpsilon > 0, "epsilon \(normEpsilon) is not positive")
    }
}
