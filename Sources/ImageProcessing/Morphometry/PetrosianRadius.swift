import Foundation

/// Radii from the light inside apertures of one centre and shape.
struct ApertureRadii {
    let light: Plane<Double>
    let masked: Plane<Bool>
    let x: Double
    let y: Double
    let axisRatio: Double
    let angle: Double
    /// Width of the rings in which the surface brightness is measured, pixels.
    let ringWidth = 1.0

    init(_ stamp: SourceStamp, x: Double, y: Double, axisRatio: Double = 1, angle: Double = 0) {
        light = stamp.light
        masked = stamp.masked
        self.x = x
        self.y = y
        self.axisRatio = axisRatio
        self.angle = angle
    }

    func aperture(inner: Double = 0, outer: Double) -> Aperture {
        Aperture(x: x, y: y, inner: inner, outer: outer, axisRatio: axisRatio, angle: angle)
    }

    /// Surface brightness at a radius over the mean inside it (Petrosian 1976; Lotz et al. 2004, eq. 4).
    private func petrosianRatio(_ radius: Double) -> (ratio: Double, isEmpty: Bool) {
        let ring = abs(
            aperture(inner: radius - ringWidth / 2, outer: radius + ringWidth / 2).mean(light, masked: masked))
        let disc = abs(aperture(outer: radius).mean(light, masked: masked))
        return disc == 0 ? (ring != 0 ? 1 : 0, true) : (ring / disc, false)
    }

    /// The semi-major axis where the ratio falls to `eta` for the first time; where it never does, the longest distance in the
    /// stamp, and the measurement is bad.
    func petrosian(eta: Double = 0.2, diagonal: Double) -> (radius: Double, isBad: Bool) {
        let (first, last) = (ringWidth, diagonal / axisRatio)
        var isBad = false
        func excess(_ radius: Double) -> Double {
            let (ratio, isEmpty) = petrosianRatio(radius)
            if isEmpty { isBad = true }
            return ratio - eta
        }
        var low: Double?
        for index in 0..<100 {
            let radius = first + (last - first) * Double(index) / 99
            let value = excess(radius)
            if value == 0 { return (radius, isBad) }
            if value > 0 {
                low = radius
                continue
            }
            guard let low else { return (first, true) }
            return (Minimization.root(between: low, and: radius, tolerance: 1e-6, excess), isBad)
        }
        return (last, true)
    }

    /// The semi-major axis that holds a fraction of the light inside `total`.
    ///
    /// - Returns: the radius, and whether the light is not positive, which makes it bad.
    func radius(holding fraction: Double, of total: Double) -> (radius: Double, isBad: Bool) {
        let sum = aperture(outer: total).sum(light)
        guard sum != 0 else { return (total, true) }
        func excess(_ radius: Double) -> Double {
            (radius == 0 ? 0 : abs(aperture(outer: radius).sum(light))) / abs(sum) - fraction
        }
        var low = 0.0
        for index in 0..<100 {
            let radius = total * Double(index) / 99
            if excess(radius) > 0 {
                return (Minimization.root(between: low, and: radius, tolerance: 1e-6, excess), sum < 0)
            }
            low = radius
        }
        return (total, true)
    }
}
