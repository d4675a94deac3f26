/// Why sources could not be extracted from an image.
public struct ExtractionError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// No pixel of the image can be used: all are masked, not finite, or without variation.
        case noPixels
        /// A setting has an impossible value.
        case settings
        /// The library gave up: more pixels or sub-objects than its limits, or no memory.
        case library
    }

    public let kind: Kind
    public let reason: String

    public init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    public var description: String { reason }
}
