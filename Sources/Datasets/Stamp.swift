import AstroIO

/// One object as a model sees it, with what the catalog says of its image.
public struct Stamp: Sendable {
    /// Channels × size × size, normalised, top row first.
    public var values: [Float]
    /// Position of the stamp's centre, degrees; nil without a usable WCS.
    public var position: (ra: Double, dec: Double)?
    /// Size of the image in pixels.
    public var imageWidth: Int
    public var imageHeight: Int
    public var bands: [String]
    /// Arcseconds a pixel of the image.
    public var pixelScale: Double?
    /// Fraction of the cut-out's pixels that are masked.
    public var maskFraction: Float
    public var flags: QualityFlags
}

/// An object whose images cannot become a stamp.
public struct StampError: Error, Sendable, CustomStringConvertible {
    /// Where it failed.
    public enum Stage: String, Sendable {
        case load, stamp
    }

    public let stage: Stage
    /// With the file and HDU where there is one.
    public let reason: String

    public init(_ stage: Stage, _ reason: String) {
        self.stage = stage
        self.reason = reason
    }

    public var description: String { reason }
}
