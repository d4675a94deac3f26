import Foundation

/// Draws components into a square of cells: the light that falls into each cell, before the PSF.
///
/// A profile is integrated over a cell with 1, 4 or 9 points, as its scale in cells asks for, and adaptively around a
/// steep centre.
struct ComponentPainter {
    let side: Int
    /// Side of a cell, arcsec.
    let cell: Double
    /// Where offset 0 of the components is, in cells from the centre of the first one.
    let origin: (x: Double, y: Double)
    /// Light per square arcsecond, in the unit of flux, that is too faint to be drawn.
    var faintest = 0.0

    /// Adds a component to the planes, one a band.
    func paint(_ component: LightComponent, into planes: inout [[Float]]) {
        guard let brightest = component.flux.max(), brightest > 0 else { return }
        let floor = faintest / brightest * component.axisRatio
        switch component.shape {
        case .sersic(let index, let radius):
            paint(
                component,
                SersicTable(SersicProfile(index: index, halfLightRadius: radius), faintest: floor, cell: cell),
                &planes)
        case .arms(let radius, let count, let pitch, let phase):
            paint(
                component,
                SpiralArms(
                    halfLightRadius: radius, count: count, pitchDegrees: pitch, phase: phase, faintest: floor,
                    cell: cell), &planes)
        case .bar(let length, let width, let angle):
            paint(component, Bar(halfLength: length, width: width, angleDegrees: angle), &planes)
        case .ring(let radius, let width): paint(component, Ridge(radius: radius, width: width), &planes)
        case .arc(let radius, let width, let extent):
            paint(component, Ridge(radius: radius, width: width, angle: extent * .pi / 180), &planes)
        case .tail(let length, let width, let curvature):
            paint(component, TidalTail(length: length, width: width, curvature: curvature), &planes)
        case .edgeOn(let length, let height, let depth, let offset):
            paint(
                component,
                EdgeOnDisc(scaleLength: length, scaleHeight: height, dustDepth: depth, dustOffset: offset), &planes)
        case .lensed(let radius, let x, let y, let index, let size):
            var round = component
            round.axisRatio = 1
            paint(
                round,
                LensedSource(
                    einsteinRadius: radius, sourceX: x, sourceY: y, axisRatio: component.axisRatio,
                    SersicProfile(index: index, halfLightRadius: size), faintest: floor, cell: cell), &planes)
        case .streak(let length, let width): paint(component, Line(halfLength: length / 2, width: width), &planes)
        case .point: paintPoint(component, &planes)
        }
    }

    /// A point is shared among 3 × 3 cells so that its total, its mean place and, together with the spreading over a cell
    /// that the PSF's kernel does, its variance are right.
    private func paintPoint(_ component: LightComponent, _ planes: inout [[Float]]) {
        func weights(_ position: Double) -> (Int, [Float]) {
            let nearest = position.rounded()
            let f = position - nearest
            let second = f * f - 1.0 / 12
            return (Int(nearest), [Float((second - f) / 2), Float(1 - second), Float((second + f) / 2)])
        }
        let (x, y) = (origin.x + component.x / cell, origin.y + component.y / cell)
        guard x > 1, y > 1, x < Double(side) - 2, y < Double(side) - 2 else { return }
        let ((column, horizontal), (row, vertical)) = (weights(x), weights(y))
        for band in planes.indices {
            for j in 0..<3 {
                for i in 0..<3 {
                    planes[band][(row + j - 1) * side + column + i - 1] +=
                        Float(component.flux[band]) * horizontal[i] * vertical[j]
                }
            }
        }
    }

    private func paint<Profile: FaceOnProfile>(
        _ component: LightComponent, _ profile: Profile, _ planes: inout [[Float]]
    ) {
        let (x0, y0) = (origin.x + component.x / cell, origin.y + component.y / cell)
        let reach = profile.extent / cell + 2
        func clamped(_ centre: Double, _ reach: Double) -> Range<Int> {
            let low = min(max((centre - reach).rounded(.down), 0), Double(side))
            let high = min(max((centre + reach).rounded(.up), low), Double(side))
            return Int(low)..<Int(high)
        }
        // North through east: the major axis points to (−sin, cos), where +x is west.
        let angle = component.positionAngle * .pi / 180
        let (ux, uy) = (-sin(angle), cos(angle))
        let q = component.axisRatio
        let sampler = CellSampler(
            profile: profile, x0: x0, y0: y0, cell: cell, ux: ux, uy: uy, q: q,
            scale: q * profile.finestScale / cell, negligible: 1e-5 * q / (cell * cell))
        let area = cell * cell / q
        let flux = component.flux.map { Float($0 * area) }
        // The box round the ellipse.
        let columns = clamped(x0, reach * (ux * ux + q * q * uy * uy).squareRoot() + 2)
        for row in clamped(y0, reach * (uy * uy + q * q * ux * ux).squareRoot() + 2) {
            for column in columns {
                let light = Float(sampler.light(Double(column), Double(row)))
                guard light > 0 else { continue }
                for band in flux.indices { planes[band][row * side + column] += flux[band] * light }
            }
        }
    }
}

/// The mean of a profile over cells.
private struct CellSampler<Profile: FaceOnProfile> {
    let profile: Profile
    let x0: Double
    let y0: Double
    let cell: Double
    let ux: Double
    let uy: Double
    let q: Double
    /// Cells over which the profile changes by much.
    let scale: Double
    /// Light per area over a cell that does not matter.
    let negligible: Double

    @inline(__always)
    func light(_ x: Double, _ y: Double) -> Double {
        let distance = max(abs(x - x0), abs(y - y0))
        if profile.isCuspy && distance < 3 / q { return refined(x, y, 1, 6) }
        if scale < 1.2 { return mean(x, y, 1) }
        if scale > 6 && distance * q > 12 { return intensity(x, y) }
        let d = 0.288_675_134_594_812_9
        return (intensity(x - d, y - d) + intensity(x + d, y - d) + intensity(x - d, y + d) + intensity(x + d, y + d))
            / 4
    }

    /// At a place in cells.
    @inline(__always)
    private func intensity(_ x: Double, _ y: Double) -> Double {
        let (dx, dy) = ((x - x0) * cell, (y - y0) * cell)
        return profile.intensity(dx * ux + dy * uy, (dx * uy - dy * ux) / q)
    }

    /// The mean over a square, by Gauss's rule with 3 × 3 points.
    private func mean(_ x: Double, _ y: Double, _ side: Double) -> Double {
        let d = side * 0.387_298_334_620_741_7
        let corners =
            intensity(x - d, y - d) + intensity(x + d, y - d) + intensity(x - d, y + d) + intensity(x + d, y + d)
        let edges = intensity(x - d, y) + intensity(x + d, y) + intensity(x, y - d) + intensity(x, y + d)
        return (25 * corners + 40 * edges + 64 * intensity(x, y)) / 324
    }

    /// The same, dividing the square until it makes no difference.
    private func refined(_ x: Double, _ y: Double, _ side: Double, _ depth: Int) -> Double {
        let whole = mean(x, y, side)
        let d = side / 4
        let sum =
            (mean(x - d, y - d, side / 2) + mean(x + d, y - d, side / 2) + mean(x - d, y + d, side / 2)
                + mean(x + d, y + d, side / 2)) / 4
        let change = abs(sum - whole)
        // A hundred-thousandth of the profile's light is as good as nothing.
        if depth == 0 || change < 1e-3 * sum || change * side * side < negligible { return sum }
        return
            (refined(x - d, y - d, side / 2, depth - 1) + refined(x + d, y - d, side / 2, depth - 1)
            + refined(x - d, y + d, side / 2, depth - 1) + refined(x + d, y + d, side / 2, depth - 1)) / 4
    }
}
