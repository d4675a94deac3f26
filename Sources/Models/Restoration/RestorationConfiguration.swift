/// The shape of a restoration network, and what its validation found.
public struct RestorationConfiguration: Sendable, Codable, Hashable {
    /// Channels of the input.
    public var channels: Int
    /// Channels at 1/2, 1/4 and 1/8 of the resolution.
    public var widths: [Int]
    /// Residual blocks at 1/8 of the resolution.
    public var middleBlocks: Int
    /// Factors that make the stated standard deviations hold on validation images: 68.3 % of the truths lie inside.
    public var calibration: Calibration

    /// Factors of standard deviations.
    public struct Calibration: Sendable, Codable, Hashable {
        /// At the image's own PSF.
        public var denoise: Float = 1
        /// At a changed PSF.
        public var deconvolve: Float = 1
        /// Of the detail within pixels.
        public var fine: Float = 1

        public init() {}
    }

    public init(
        channels: Int, widths: [Int] = [32, 64, 128], middleBlocks: Int = 3, calibration: Calibration = Calibration()
    ) {
        self.channels = channels
        self.widths = widths
        self.middleBlocks = middleBlocks
        self.calibration = calibration
    }

    /// Sides of images are multiples of this.
    public static let multiple = 8

    /// An answer depends on no pixel farther away than this: convolutions at 1/2, 1/4 and 1/8 of the resolution reach 6, 4 and
    /// 2 per block of their cells, and blocks of 8 pixels lie on a fixed grid.
    public var reach: Int { 2 * 6 + 4 * 4 + 8 * 2 * middleBlocks + 8 }

    func validate() throws(ModelError) {
        guard channels > 0, widths.count == 3, widths.allSatisfy({ (1...1024).contains($0) }),
            (1...32).contains(middleBlocks)
        else { throw ModelError(.invalidConfiguration, reason: "\(self)") }
    }
}
