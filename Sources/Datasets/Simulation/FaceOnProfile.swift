import Foundation

/// Light per area of a shape seen face on, with total flux 1.
protocol FaceOnProfile {
    /// At u along the major axis and v along the minor one.
    func intensity(_ u: Double, _ v: Double) -> Double
    /// Beyond this radius nothing worth drawing is left.
    var extent: Double { get }
    /// Whether the centre is so steep that cells there are to be divided.
    var isCuspy: Bool { get }
    /// The length over which it changes by much outside its centre.
    var finestScale: Double { get }
}

struct SpiralArms: FaceOnProfile {
    let disc: SersicTable
    let halfLightRadius: Double
    let count: Double
    let winding: Double
    let phase: Double

    init(
        halfLightRadius: Double, count: Int, pitchDegrees: Double, phase: Double, faintest: Double, cell: Double
    ) {
        self.halfLightRadius = halfLightRadius
        disc = SersicTable(
            SersicProfile(index: 1, halfLightRadius: halfLightRadius), faintest: faintest / 3.2, cell: cell)
        self.count = Double(count)
        winding = 1 / tan(pitchDegrees * .pi / 180)
        self.phase = phase
    }

    func intensity(_ u: Double, _ v: Double) -> Double {
        let radius = max((u * u + v * v).squareRoot(), 0.02 * halfLightRadius)
        let wave = (1 + cos(count * (atan2(v, u) - winding * log(radius / halfLightRadius) - phase))) / 2
        // The mean of the cube of (1 + cos)/2 over a circle is 5/16; arms fade into an even disc near the centre.
        let mix = radius * radius / (radius * radius + 0.1 * halfLightRadius * halfLightRadius)
        return disc.intensity(radius, 0) * (1 - mix + mix * 3.2 * wave * wave * wave)
    }

    var extent: Double { disc.extent }
    var isCuspy: Bool { true }
    var finestScale: Double { halfLightRadius / 4 }
}

struct Bar: FaceOnProfile {
    let halfLength: Double
    let width: Double
    private let along: (Double, Double)
    private let norm: Double

    init(halfLength: Double, width: Double, angleDegrees: Double) {
        self.halfLength = halfLength
        self.width = width
        along = (cos(angleDegrees * .pi / 180), sin(angleDegrees * .pi / 180))
        // ∫ exp(−(u/a)⁴) du = 2 a Γ(5/4).
        norm = 1 / (2 * halfLength * tgamma(1.25) * width * (2 * .pi).squareRoot())
    }

    func intensity(_ u: Double, _ v: Double) -> Double {
        let (a, b) = ((u * along.0 + v * along.1) / halfLength, (v * along.0 - u * along.1) / width)
        return norm * exp(-a * a * a * a - b * b / 2)
    }

    var extent: Double { max(1.8 * halfLength, 5 * width) }
    var isCuspy: Bool { false }
    var finestScale: Double { width }
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
    var finestScale: Double { width }
}

/// Stars torn out of a disc: an arc of a circle that starts in the galaxy.
struct TidalTail: FaceOnProfile {
    let length: Double
    let width: Double
    let curvature: Double
    private var norm = 1.0

    init(length: Double, width: Double, curvature: Double) {
        self.length = length
        self.width = width
        self.curvature = curvature
        let step = min(width, length) / 20
        var (along, sum) = (-3 * width + step / 2, 0.0)
        while along < min(1.5 * length, .pi * abs(curvature)) {
            sum += brightness(along) * step
            along += step
        }
        norm = 1 / sum
    }

    /// Rises inside the disc, falls slowly, ends softly.
    private func brightness(_ along: Double) -> Double {
        let s = max(0, along / length)
        return exp(-1.2 * s) / (1 + exp((s - 1) * 12)) / (1 + exp(-along / (0.4 * width)))
    }

    func intensity(_ u: Double, _ v: Double) -> Double {
        // The circle's centre is at (0, c); the way along it is counted from the position.
        let side = curvature < 0 ? -1.0 : 1
        let c = abs(curvature)
        let (du, dv) = (u, v * side - c)
        let along = c * atan2(du, -dv)
        guard along > -3 * width else { return 0 }
        let local = width * (1 + max(0, along) / length)
        let across = ((du * du + dv * dv).squareRoot() - c) / local
        guard abs(across) < 5, along < 1.5 * length else { return 0 }
        return norm * brightness(along) * exp(-across * across / 2) / (local * (2 * .pi).squareRoot())
    }

    var extent: Double { min(1.5 * length, 2 * abs(curvature)) + 10 * width }
    var isCuspy: Bool { false }
    var finestScale: Double { width }
}

struct EdgeOnDisc: FaceOnProfile {
    let scaleLength: Double
    let scaleHeight: Double
    let dustDepth: Double
    let dustOffset: Double
    private var norm = 1.0

    init(scaleLength: Double, scaleHeight: Double, dustDepth: Double, dustOffset: Double) {
        self.scaleLength = scaleLength
        self.scaleHeight = scaleHeight
        self.dustDepth = dustDepth
        self.dustOffset = dustOffset
        var sum = 0.0
        let (du, dv) = (scaleLength / 8, scaleHeight / 10)
        for i in 0..<64 {
            for j in -60..<60 {
                sum += intensity((Double(i) + 0.5) * du, (Double(j) + 0.5) * dv)
            }
        }
        norm = 1 / (2 * sum * du * dv)
    }

    func intensity(_ u: Double, _ v: Double) -> Double {
        // x K₁(x) falls from 1; exp(−x) (1 + π x / 2)^½ is within 3 % of it for all x.
        let x = abs(u) / scaleLength
        let radial = exp(-x) * (1 + .pi / 2 * x).squareRoot()
        let height = 1 / cosh(min(40, abs(v) / scaleHeight))
        guard dustDepth > 0 else { return norm * radial * height * height }
        let dust = 1 / cosh(min(40, abs(v - dustOffset) / (0.35 * scaleHeight)))
        let depth = dustDepth * exp(-x / 1.4) * dust * dust
        return norm * radial * height * height * exp(-depth)
    }

    var extent: Double { 8 * scaleLength }
    var isCuspy: Bool { false }
    var finestScale: Double { scaleHeight * (dustDepth > 0 ? 0.35 : 0.7) }
}

/// A source as a singular isothermal ellipsoid shows it: the light at a place is that of the source at θ − α(θ).
struct LensedSource: FaceOnProfile {
    let einsteinRadius: Double
    let extent: Double
    private let source: SersicTable
    private let position: (Double, Double)
    private let q: Double
    private var norm = 1.0

    /// - Parameter axisRatio: of the lens, along the same axes as the image.
    init(
        einsteinRadius: Double, sourceX: Double, sourceY: Double, axisRatio: Double, _ profile: SersicProfile,
        faintest: Double, cell: Double
    ) {
        self.einsteinRadius = einsteinRadius
        source = SersicTable(profile, faintest: faintest / 4, cell: cell)
        position = (sourceX, sourceY)
        q = min(axisRatio, 0.999)
        extent = 2 * einsteinRadius + (sourceX * sourceX + sourceY * sourceY).squareRoot() + source.extent
        // The lens multiplies the light; what is asked for is the flux of the images.
        let step = max(extent / 200, min(extent / 60, profile.halfLightRadius / 3))
        let count = Int(extent / step)
        var sum = 0.0
        for i in -count...count {
            for j in -count...count { sum += intensity(Double(i) * step, Double(j) * step) }
        }
        norm = 1 / (sum * step * step)
    }

    func intensity(_ u: Double, _ v: Double) -> Double {
        let psi = max((q * q * u * u + v * v).squareRoot(), 1e-6)
        let f = (1 - q * q).squareRoot()
        let strength = einsteinRadius * q.squareRoot() / f
        return norm
            * source.intensity(
                u - strength * atan(f * u / psi) - position.0, v - strength * atanh(f * v / psi) - position.1)
    }

    var isCuspy: Bool { false }
    var finestScale: Double { source.profile.halfLightRadius / 4 }
}

/// A straight line with a Gaussian cross-section along u.
struct Line: FaceOnProfile {
    let halfLength: Double
    let width: Double

    func intensity(_ u: Double, _ v: Double) -> Double {
        let across = v / width
        guard abs(across) < 6, abs(u) <= halfLength else { return 0 }
        return exp(-across * across / 2) / (2 * halfLength * width * (2 * .pi).squareRoot())
    }

    var extent: Double { halfLength + 6 * width }
    var isCuspy: Bool { false }
    var finestScale: Double { width }
}
