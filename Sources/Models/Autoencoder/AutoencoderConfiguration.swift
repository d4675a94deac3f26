/// The shape of a convolutional auto-encoder, with or without attention in its encoder.
public struct AutoencoderConfiguration: Sendable, Codable, Hashable {
    /// Which of the two networks that are compared.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// Convolutions only.
        case plain = "cae"
        /// Channel and spatial attention behind every convolution of the encoder but the first.
        case attention = "attcae"
    }

    public var kind: Kind
    public var channels: Int
    /// Side of the stamps, pixels.
    public var size: Int
    /// Channels at 1/2, 1/4 … of the resolution.
    public var widths: [Int]
    /// Numbers of the latent vector.
    public var latent: Int

    public init(kind: Kind, channels: Int, size: Int, widths: [Int], latent: Int) {
        self.kind = kind
        self.channels = channels
        self.size = size
        self.widths = widths
        self.latent = latent
    }

    /// The networks that are compared: the same but for the attention, which is 1.1 % of the parameters.
    public static func standard(
        _ kind: Kind, channels: Int = 3, size: Int = 64, latent: Int = 64
    ) -> AutoencoderConfiguration {
        AutoencoderConfiguration(
            kind: kind, channels: channels, size: size, widths: [16, 32, 64, 128], latent: latent)
    }

    /// Side of the coarsest feature maps.
    public var coarseSize: Int { size >> widths.count }
    /// Numbers of the coarsest feature maps.
    var coarseCount: Int { coarseSize * coarseSize * widths[widths.count - 1] }

    func validate() throws(ModelError) {
        guard (1...64).contains(channels), (2...6).contains(widths.count),
            widths.allSatisfy({ (1...1024).contains($0) }),
            (1...4096).contains(latent), (1...1024).contains(size), size % (1 << widths.count) == 0
        else { throw ModelError(.invalidConfiguration, reason: "\(self)") }
    }
}
