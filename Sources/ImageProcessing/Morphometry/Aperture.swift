import Foundation

/// An ellipse, or the ring between two of the same shape, with the exact share that each pixel has in it.
///
/// A pixel on the rim counts by the area that lies inside, as `method="exact"` of photutils does. The area is found by mapping
/// the ellipse to the unit circle, where the pixel is a parallelogram: each of its edges contributes a triangle or a sector.
package struct Aperture: Sendable {
    package var x: Double
    package var y: Double
    /// Semi-major axis, pixels.
    package var outer: Double
    /// Semi-major axis of the hole; 0 for none.
    package var inner: Double
    /// Minor over major axis.
    package var axisRatio: Double
    /// Of the major axis, radians from +x towards +y.
    package var angle: Double

    package init(
        x: Double, y: Double, inner: Double = 0, outer: Double, axisRatio: Double = 1, angle: Double = 0
    ) {
        self.x = x
        self.y = y
        self.outer = outer
        self.inner = max(inner, 0)
        self.axisRatio = axisRatio
        self.angle = angle
    }

    /// In pixels, whatever the image covers.
    package var area: Double { .pi * axisRatio * (outer * outer - inner * inner) }

    /// Calls `body` with the index and the share of every pixel of a width × height image that is at least partly inside.
    @inline(__always)
    package func forEachPixel(width: Int, height: Int, _ body: (_ index: Int, _ share: Double) -> Void) {
        guard outer > 0, outer.isFinite else { return }
        let (c, s) = (cos(angle), sin(angle))
        let b = outer * axisRatio
        let reachX = (outer * outer * c * c + b * b * s * s).squareRoot() + 0.5
        let reachY = (outer * outer * s * s + b * b * c * c).squareRoot() + 0.5
        guard x.isFinite, y.isFinite, x + reachX > -1, y + reachY > -1, x - reachX < Double(width),
            y - reachY < Double(height)
        else { return }
        let columns = max(0, Int((x - reachX).rounded(.down)))...min(width - 1, Int((x + reachX).rounded(.up)))
        let rows = max(0, Int((y - reachY).rounded(.down)))...min(height - 1, Int((y + reachY).rounded(.up)))
        let whole = UnitEllipse(major: outer, axisRatio: axisRatio, cosine: c, sine: s)
        let hole = UnitEllipse(major: max(inner, 1e-9), axisRatio: axisRatio, cosine: c, sine: s)
        for row in rows {
            let dy = Double(row) - y
            for column in columns {
                let dx = Double(column) - x
                var share = whole.share(dx, dy)
                guard share > 0 else { continue }
                if inner > 0 { share -= hole.share(dx, dy) }
                if share > 0 { body(row * width + column, share) }
            }
        }
    }

    /// The sum over the aperture.
    package func sum(_ plane: Plane<Double>) -> Double {
        var total = 0.0
        plane.values.withUnsafeBufferPointer { values in
            forEachPixel(width: plane.width, height: plane.height) { total += values[$0] * $1 }
        }
        return total
    }

    /// Mean over the part of the aperture that lies on the image and is not masked; 0 where there is none.
    package func mean(_ plane: Plane<Double>, masked: Plane<Bool>) -> Double {
        var (total, area) = (0.0, 0.0)
        plane.values.withUnsafeBufferPointer { values in
            masked.values.withUnsafeBufferPointer { masked in
                forEachPixel(width: plane.width, height: plane.height) { index, share in
                    if !masked[index] {
                        total += values[index] * share
                        area += share
                    }
                }
            }
        }
        return area > 0 ? total / area : 0
    }
}

/// An ellipse at the origin, mapped to the unit circle.
private struct UnitEllipse {
    /// Unit-circle coordinates of one pixel to the right and one up.
    let ux: Double
    let uy: Double
    let vx: Double
    let vy: Double
    /// Half of a pixel's longest diagonal there.
    let reach: Double
    /// Pixels in the unit of area of the circle.
    let scale: Double

    init(major: Double, axisRatio: Double, cosine: Double, sine: Double) {
        let minor = major * axisRatio
        (ux, uy) = (cosine / major, -sine / minor)
        (vx, vy) = (sine / major, cosine / minor)
        let plus = (ux + vx) * (ux + vx) + (uy + vy) * (uy + vy)
        let minus = (ux - vx) * (ux - vx) + (uy - vy) * (uy - vy)
        reach = 0.5 * max(plus, minus).squareRoot()
        scale = major * minor
    }

    /// The share of the pixel at (dx, dy) that lies inside.
    @inline(__always)
    func share(_ dx: Double, _ dy: Double) -> Double {
        let (u, v) = (ux * dx + vx * dy, uy * dx + vy * dy)
        let squared = u * u + v * v
        let near = 1 - reach
        if near > 0, squared <= near * near { return 1 }
        let far = 1 + reach
        if squared >= far * far { return 0 }
        return min(1, max(0, partial(u, v) * scale))
    }

    /// Area of the unit circle that a pixel around (u, v) covers.
    private func partial(_ u: Double, _ v: Double) -> Double {
        let a = (u - 0.5 * (ux + vx), v - 0.5 * (uy + vy))
        let b = (a.0 + ux, a.1 + uy)
        let c = (b.0 + vx, b.1 + vy)
        let d = (a.0 + vx, a.1 + vy)
        return abs(Self.edge(a, b) + Self.edge(b, c) + Self.edge(c, d) + Self.edge(d, a))
    }

    /// The signed area of the part of the triangle (0, p, q) that lies in the unit circle.
    private static func edge(_ p: (Double, Double), _ q: (Double, Double)) -> Double {
        let (dx, dy) = (q.0 - p.0, q.1 - p.1)
        let length = dx * dx + dy * dy
        guard length > 0 else { return 0 }
        let middle = -(p.0 * dx + p.1 * dy) / length
        let (nx, ny) = (p.0 + middle * dx, p.1 + middle * dy)
        let distance = nx * nx + ny * ny
        func sector(_ a: (Double, Double), _ b: (Double, Double)) -> Double {
            0.5 * atan2(a.0 * b.1 - a.1 * b.0, a.0 * b.0 + a.1 * b.1)
        }
        guard distance < 1 else { return sector(p, q) }
        let half = ((1 - distance) / length).squareRoot()
        let (t0, t1) = (middle - half, middle + half)
        if t1 <= 0 || t0 >= 1 { return sector(p, q) }
        let (from, to) = (max(t0, 0), min(t1, 1))
        let inside = ((p.0 + from * dx, p.1 + from * dy), (p.0 + to * dx, p.1 + to * dy))
        var area = 0.5 * (inside.0.0 * inside.1.1 - inside.0.1 * inside.1.0)
        if t0 > 0 { area += sector(p, inside.0) }
        if t1 < 1 { area += sector(inside.1, q) }
        return area
    }
}
