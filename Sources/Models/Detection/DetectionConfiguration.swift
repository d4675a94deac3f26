/// What a detection network is, and how its maps become sources; stored with its weights.
public struct DetectionConfiguration: Sendable, Codable, Hashable {
    /// Channels at full resolution, at half, at a quarter …
    public var widths: [Int]
    /// Channels of the last layer before the maps.
    public var headWidth: Int
    /// Width of the backbone's tokens that the network takes beside the image; nil for none.
    public var tokenWidth: Int?
    /// Pixels between tokens: the backbone's patch size.
    public var tokenStride: Int
    /// Side of the background boxes, pixels, that images are made sky-free with.
    public var backgroundBox: Int
    /// Where sources begin.
    public var thresholds: DetectionThresholds

    public init(
        widths: [Int] = [16, 32, 48, 64, 80, 96], headWidth: Int = 24, tokenWidth: Int? = nil, tokenStride: Int = 8,
        backgroundBox: Int = 128, thresholds: DetectionThresholds = DetectionThresholds()
    ) {
        self.widths = widths
        self.headWidth = headWidth
        self.tokenWidth = tokenWidth
        self.tokenStride = tokenStride
        self.backgroundBox = backgroundBox
        self.thresholds = thresholds
    }

    /// Sides of images must be multiples of this.
    public var stride: Int { 1 << (widths.count - 1) }

    func validate() throws(ModelError) {
        guard widths.count > 1, widths.count < 9, widths.allSatisfy({ (1...1024).contains($0) }),
            (1...1024).contains(headWidth), backgroundBox > 0, tokenWidth.map({ $0 > 0 }) ?? true
        else { throw ModelError(.invalidConfiguration, reason: "no detection network has this form: \(self)") }
        guard tokenWidth == nil || tokenLevel != nil else {
            throw ModelError(
                .invalidConfiguration,
                reason: "tokens every \(tokenStride) pixels fit no level of a network with \(widths.count) levels")
        }
    }

    /// The level of the network whose grid is that of the tokens.
    var tokenLevel: Int? { widths.indices.first { 1 << $0 == tokenStride } }
}

/// How sure the network has to be.
public struct DetectionThresholds: Sendable, Codable, Hashable {
    /// Of a peak of the centre map, to be a source: chosen on validation fields.
    public var centre: Float
    /// Of a pixel's source probability, to belong to a source; for sources that are less sure than 1 everywhere, this share of
    /// their maximum.
    public var pixel: Float
    /// Smallest segment, pixels.
    public var minimumArea: Int

    public init(centre: Float = 0.3, pixel: Float = 0.5, minimumArea: Int = 4) {
        self.centre = centre
        self.pixel = pixel
        self.minimumArea = minimumArea
    }
}
