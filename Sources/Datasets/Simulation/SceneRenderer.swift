import Foundation

/// Draws scenes: light per pixel, after the atmosphere, the telescope and the pixel's area.
///
/// Each component is integrated over the cells of a grid four times finer than the pixels (adaptively where a profile is
/// steep), the sum is convolved with the PSF, integrated over the same cells, and cells are added up to pixels. The grid is wider
/// than the stamp, so light scattered into it from outside is there.
package struct SceneRenderer: Sendable {
    /// Side of the stamp in pixels.
    let size: Int
    /// Arcseconds a pixel.
    let pixelScale: Double
    static let cellsPerPixel = 4
    /// Cells a side.
    let gridSide: Int
    private let convolution: PlanarConvolution
    /// Cells between the edges of the grid and of the stamp.
    private var margin: Int { (gridSide - size * Self.cellsPerPixel) / 2 }
    private var cell: Double { pixelScale / Double(Self.cellsPerPixel) }

    package init(size: Int, pixelScale: Double) {
        precondition(size > 0 && size.isMultiple(of: 2), "[SceneRenderer] expected an even size, got \(size)")
        self.size = size
        self.pixelScale = pixelScale
        var side = 64
        while side < (size + 32) * Self.cellsPerPixel { side *= 2 }
        gridSide = side
        convolution = PlanarConvolution(side: side)
    }

    /// The stamp in each band: size × size numbers in the unit of the components' flux, first row at the bottom.
    package func render(_ components: [LightComponent], psfs: [MoffatPSF]) -> [[Float]] {
        var planes = [[Float]](
            repeating: [Float](repeating: 0, count: gridSide * gridSide), count: psfs.count)
        for component in components {
            precondition(component.flux.count == psfs.count, "[render] expected a flux for each of \(psfs.count) bands")
            let light = draw(component)
            for band in psfs.indices where component.flux[band] != 0 {
                let flux = Float(component.flux[band])
                for row in light.rows {
                    let from = (row - light.rows.lowerBound) * light.columns.count
                    let to = row * gridSide + light.columns.lowerBound
                    for x in 0..<light.columns.count { planes[band][to + x] += flux * light.values[from + x] }
                }
            }
        }
        return zip(planes, psfs).map { plane, psf in
            binned(convolution.inverse(convolution.transform(plane), times: convolution.transform(kernel(psf))))
        }
    }

    // MARK: - Shapes

    /// A rectangle of cells and the light in each.
    private struct Patch {
        var rows: Range<Int>
        var columns: Range<Int>
        var values: [Float]
    }

    private func draw(_ component: LightComponent) -> Patch {
        switch component.shape {
        case .sersic(let index, let radius):
            return draw(component, SersicProfile(index: index, halfLightRadius: radius))
        case .arms(let radius, let count, let pitch, let phase):
            return draw(
                component, SpiralArms(halfLightRadius: radius, count: count, pitchDegrees: pitch, phase: phase))
        case .ring(let radius, let width): return draw(component, Ridge(radius: radius, width: width))
        case .arc(let radius, let width, let extent):
            return draw(component, Ridge(radius: radius, width: width, angle: extent * .pi / 180))
        case .streak(let length, let width):
            return draw(component, Line(scale: length / 2, width: width, fades: false))
        case .spike(let scale, let width): return draw(component, Line(scale: scale, width: width, fades: true))
        case .point: return drawPoint(component)
        }
    }

    /// The position of arcsecond 0 of the stamp, in cells.
    private var origin: Double { Double(gridSide) / 2 - 0.5 }

    /// A point between cell centres is shared among four cells.
    private func drawPoint(_ component: LightComponent) -> Patch {
        let (x, y) = (origin + component.x / cell, origin + component.y / cell)
        let (column, row) = (Int(x.rounded(.down)), Int(y.rounded(.down)))
        guard (0..<gridSide - 1).contains(column), (0..<gridSide - 1).contains(row) else {
            return Patch(rows: 0..<0, columns: 0..<0, values: [])
        }
        let (fx, fy) = (Float(x - Double(column)), Float(y - Double(row)))
        return Patch(
            rows: row..<row + 2, columns: column..<column + 2,
            values: [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy])
    }

    private func draw<Profile: FaceOnProfile>(_ component: LightComponent, _ profile: Profile) -> Patch {
        let (x0, y0) = (origin + component.x / cell, origin + component.y / cell)
        let reach = profile.extent / cell + 2
        func clamped(_ centre: Double) -> Range<Int> {
            let low = min(max((centre - reach).rounded(.down), 0), Double(gridSide))
            let high = min(max((centre + reach).rounded(.up), low), Double(gridSide))
            return Int(low)..<Int(high)
        }
        let (rows, columns) = (clamped(y0), clamped(x0))
        // North through east: the major axis points to (−sin, cos), where +x is west.
        let angle = component.positionAngle * .pi / 180
        let (ux, uy) = (-sin(angle), cos(angle))
        let q = component.axisRatio
        let area = cell * cell / q
        /// Light at a place in cells.
        func intensity(_ x: Double, _ y: Double) -> Double {
            let (dx, dy) = ((x - x0) * cell, (y - y0) * cell)
            return profile.intensity(dx * ux + dy * uy, (dx * uy - dy * ux) / q)
        }
        /// The mean over a square of cells, by Gauss's rule with 3 × 3 points.
        func mean(_ x: Double, _ y: Double, _ side: Double) -> Double {
            let d = side * 0.387_298_334_620_741_7
            let corners =
                intensity(x - d, y - d) + intensity(x + d, y - d) + intensity(x - d, y + d) + intensity(x + d, y + d)
            let edges = intensity(x - d, y) + intensity(x + d, y) + intensity(x, y - d) + intensity(x, y + d)
            return (25 * corners + 40 * edges + 64 * intensity(x, y)) / 324
        }
        func refined(_ x: Double, _ y: Double, _ side: Double, _ depth: Int) -> Double {
            let whole = mean(x, y, side)
            let d = side / 4
            let parts = [(x - d, y - d), (x + d, y - d), (x - d, y + d), (x + d, y + d)]
            let sum = parts.reduce(0) { $0 + mean($1.0, $1.1, side / 2) } / 4
            if depth == 0 || abs(sum - whole) < 1e-4 * sum { return sum }
            return parts.reduce(0) { $0 + refined($1.0, $1.1, side / 2, depth - 1) } / 4
        }
        let steep = 3 / q
        let d = 0.288_675_134_594_812_9
        var values: [Float] = []
        values.reserveCapacity(rows.count * columns.count)
        for row in rows {
            let y = Double(row)
            for column in columns {
                let x = Double(column)
                let distance = max(abs(x - x0), abs(y - y0))
                let light: Double
                if profile.isCuspy && distance < steep {
                    light = refined(x, y, 1, 8)
                } else if distance < 60 || q < 0.4 {
                    light =
                        (intensity(x - d, y - d) + intensity(x + d, y - d) + intensity(x - d, y + d)
                            + intensity(x + d, y + d)) / 4
                } else {
                    light = intensity(x, y)
                }
                values.append(Float(light * area))
            }
        }
        return Patch(rows: rows, columns: columns, values: values)
    }

    // MARK: - PSF and pixels

    /// The PSF's light in each cell, its centre in cell (0, 0), wrapped round.
    private func kernel(_ psf: MoffatPSF) -> [Float] {
        var values = [Float](repeating: 0, count: gridSide * gridSide)
        let half = gridSide / 2
        let d = 0.288_675_134_594_812_9
        for row in 0...half {
            for column in 0...row {
                var light = 0.0
                for (x, y) in [(-d, -d), (d, -d), (-d, d), (d, d)] {
                    let (u, v) = ((Double(column) + x) * cell, (Double(row) + y) * cell)
                    light += psf.intensity(squaredRadius: u * u + v * v) / 4
                }
                let value = Float(light * cell * cell)
                for (a, b) in [(row, column), (column, row)] {
                    for y in Set([a, (gridSide - a) % gridSide]) {
                        for x in Set([b, (gridSide - b) % gridSide]) { values[y * gridSide + x] = value }
                    }
                }
            }
        }
        return values
    }

    private func binned(_ plane: [Float]) -> [Float] {
        var result = [Float](repeating: 0, count: size * size)
        let cells = Self.cellsPerPixel
        for y in 0..<size * cells {
            let from = (margin + y) * gridSide + margin
            let to = y / cells * size
            for x in 0..<size * cells { result[to + x / cells] += plane[from + x] }
        }
        return result
    }
}
