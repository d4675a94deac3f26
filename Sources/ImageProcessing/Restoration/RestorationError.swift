/// Why an image cannot be restored.
public struct RestorationError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        /// The image is smaller than the network's smallest input.
        case tooSmall
        /// No pixel of a band is valid.
        case noValidPixel
        /// A point-spread function that is none: no positive sum, not finite, or of an impossible width.
        case psf
        /// The noise can neither be read from the variance nor measured.
        case noise
        /// Settings that contradict each other.
        case settings
    }

    public let kind: Kind
    /// The band, if one is concerned.
    public let band: String?
    public let reason: String

    public init(_ kind: Kind, band: String? = nil, _ reason: String) {
        self.kind = kind
        self.band = band
        self.reason = reason
    }

    public var description: String { band.map { "band \($0): \(reason)" } ?? reason }
}
