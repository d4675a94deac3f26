import Foundation

/// A source as measured on the detection image. Positions count from 0 with pixel centres at integers; angles are in radians from +x
/// towards +y.
public struct DetectedSource: Sendable, Equatable {
    /// What a source is.
    public enum Class: String, Sendable, CaseIterable, Codable {
        case star, galaxy, artefact
    }

    /// Barycentre of the light in the segment.
    public var x: Double
    public var y: Double
    /// Bounds of the segment, inclusive.
    public var xMinimum: Int
    public var xMaximum: Int
    public var yMinimum: Int
    public var yMaximum: Int
    /// Pixels of the segment.
    public var area: Int
    /// RMS of the light along the principal axes, pixels; a ≥ b.
    public var a: Double
    public var b: Double
    /// Position angle of the major axis, −π/2 … π/2.
    public var theta: Double
    /// Sum and maximum of the segment's pixels of the detection image.
    public var isophotalFlux: Double
    public var peak: Double
    /// SEP's extraction flags: 1 deblended, 2 truncated at the image's edge, 8 singular.
    public var flags: Int
    /// How sure the method is that this is a source, 0 … 1; NaN where it does not say.
    public var probability: Double = .nan
    /// Probability of being a star, a galaxy, an artefact; nil where the method does not say.
    public var classProbabilities: [Class: Double]? = nil

    /// The most probable class.
    public var mostProbableClass: Class? {
        classProbabilities.flatMap { probabilities in
            Class.allCases.max { probabilities[$0, default: 0] < probabilities[$1, default: 0] }
        }
    }

    /// The coefficients of the ellipse cxx·dx² + cyy·dy² + cxy·dx·dy = r².
    var ellipse: (cxx: Double, cyy: Double, cxy: Double) {
        let (c, s) = (cos(theta), sin(theta))
        let (p, q) = (1 / (a * a), 1 / (b * b))
        return (c * c * p + s * s * q, s * s * p + c * c * q, 2 * c * s * (p - q))
    }
}

/// Sources and the pixels that belong to them.
public struct Segmentation: Sendable {
    public var sources: [DetectedSource]
    /// height × width: number of the source in `sources` counted from 1, 0 for sky.
    public var map: [Int32]
    public let width: Int
    public let height: Int

    public init(sources: [DetectedSource], map: [Int32], width: Int, height: Int) {
        precondition(map.count == width * height, "[Segmentation] expected \(width) × \(height) pixels")
        self.sources = sources
        self.map = map
        self.width = width
        self.height = height
    }
}
