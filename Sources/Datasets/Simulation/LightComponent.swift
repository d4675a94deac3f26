import Foundation

/// One source of light of a simulated scene: a shape of total flux 1, where it stands, and its flux in every band.
///
/// Lengths are arcseconds. Shapes with an axis ratio are circular ones seen at an angle; radii are those along the major axis.
public struct LightComponent: Sendable, Equatable {
    public enum Shape: Sendable, Equatable {
        case sersic(index: Double, halfLightRadius: Double)
        /// Logarithmic spiral arms whose mean over the circle is an exponential disc: blobs of light where
        /// cos(m (θ − ln R / tan pitch)) is near 1.
        case arms(halfLightRadius: Double, count: Int, pitchDegrees: Double, phase: Double)
        /// A Gaussian ridge at a radius.
        case ring(radius: Double, width: Double)
        /// A part of such a ridge, of Gaussian extent, towards the direction of the position angle.
        case arc(radius: Double, width: Double, extentDegrees: Double)
        case point
        /// A straight line of even brightness.
        case streak(length: Double, width: Double)
        /// A straight line that fades exponentially on both sides, as behind a secondary mirror's support.
        case spike(scale: Double, width: Double)
    }

    public var shape: Shape
    /// Offset from the stamp's centre to the right (west) and up (north).
    public var x: Double
    public var y: Double
    /// Minor over major axis.
    public var axisRatio: Double
    /// Of the major axis, degrees from north through east.
    public var positionAngle: Double
    /// Nanomaggies, one number a band of the simulator.
    public var flux: [Double]

    public init(
        _ shape: Shape, x: Double = 0, y: Double = 0, axisRatio: Double = 1, positionAngle: Double = 0, flux: [Double]
    ) {
        precondition(axisRatio > 0 && axisRatio <= 1, "[LightComponent] expected an axis ratio of 0 … 1")
        self.shape = shape
        self.x = x
        self.y = y
        self.axisRatio = axisRatio
        self.positionAngle = positionAngle
        self.flux = flux
    }
}

/// Light per area of a shape seen face on, with total flux 1.
protocol FaceOnProfile {
    /// At u along the major axis and v along the minor one.
    func intensity(_ u: Double, _ v: Double) -> Double
    /// Beyond this radius nothing worth drawing is left.
    var extent: Double { get }
    /// Whether the centre is so steep that cells there are to be divided.
    var isCuspy: Bool { get }
}

extension SersicProfile: FaceOnProfile {
    func intensity(_ u: Double, _ v: Double) -> Double { intensity(at: (u * u + v * v).squareRoot()) }
    var extent: Double { radius(holding: 0.9995) }
    var isCuspy: Bool { index > 0.7 }
}

struct SpiralArms: FaceOnProfile {
    let disc: SersicProfile
    let count: Double
    let winding: Double
    let phase: Double

    init(halfLightRadius: Double, count: Int, pitchDegrees: Double, phase: Double) {
        disc = SersicProfile(index: 1, halfLightRadius: halfLightRadius)
        self.count = Double(count)
        winding = 1 / tan(pitchDegrees * .pi / 180)
        self.phase = phase
    }

    func intensity(_ u: Double, _ v: Double) -> Double {
        let radius = max((u * u + v * v).squareRoot(), 0.02 * disc.halfLightRadius)
        let wave = (1 + cos(count * (atan2(v, u) - winding * log(radius / disc.halfLightRadius) - phase))) / 2
        // The mean of the cube of (1 + cos)/2 over a circle is 5/16; arms fade into an even disc near the centre.
        let mix = radius * radius / (radius * radius + 0.1 * disc.halfLightRadius * disc.halfLightRadius)
        return disc.intensity(at: radius) * (1 - mix + mix * 3.2 * wave * wave * wave)
    }

    var extent: Double { disc.extent }
    var isCuspy: Bool { true }
}

/// A Gaussian ridge at a radius, the whole circle or a part of it.
struct Ridge: FaceOnProfile {
    let radius: Double
    let width: Double
    /// Standard deviation of the part along the circle, radians; nil for the whole circle.
    let angle: Double?
    private let norm: Double

    init(radius: Double, width: Double, angle: Double? = nil) {
        self.radius = radius
        self.width = width
        self.angle = angle
        // ∫ r exp(−(r − R)² / 2w²) dr from 0.
        let radial =
            width * width * exp(-radius * radius / (2 * width * width))
            + radius * width * (Double.pi / 2).squareRoot() * (1 + erf(radius / (width * 2.0.squareRoot())))
        let around = angle.map { (2 * .pi).squareRoot() * $0 * erf(.pi / ($0 * 2.0.squareRoot())) } ?? 2 * .pi
        norm = 1 / (radial * around)
    }

    func intensity(_ u: Double, _ v: Double) -> Double {
        let distance = ((u * u + v * v).squareRoot() - radius) / width
        guard abs(distance) < 6 else { return 0 }
        var exponent = distance * distance
        if let angle {
            let off = atan2(v, u) / angle
            exponent += off * off
        }
        return norm * exp(-exponent / 2)
    }

    var extent: Double { radius + 6 * width }
    var isCuspy: Bool { false }
}

/// A straight line with a Gaussian cross-section along u.
struct Line: FaceOnProfile {
    /// Half of the length, or the scale of an exponential.
    let scale: Double
    let width: Double
    let fades: Bool

    func intensity(_ u: Double, _ v: Double) -> Double {
        let across = v / width
        guard abs(across) < 6 else { return 0 }
        let along = fades ? exp(-abs(u) / scale) : (abs(u) <= scale ? 1 : 0)
        return along * exp(-across * across / 2) / (2 * scale * width * (2 * .pi).squareRoot())
    }

    var extent: Double { fades ? 12 * scale : scale + 6 * width }
    var isCuspy: Bool { false }
}
