import Foundation

/// Draws scenes: light per pixel, after the atmosphere, the telescope and the pixel's area.
///
/// Components are integrated over the cells of a grid finer than the pixels, the sum is convolved with the PSF spread over a
/// cell, and cells are added up to pixels. The grid is wider than what is asked for, so light scattered into it from outside is
/// there and light scattered out of it does not come back on the other side.
package struct SceneRenderer: Sendable {
    /// A rectangle of pixels and the light in each, a plane a band.
    struct Stamp {
        /// The corner, in pixels of the frame.
        var x: Int
        var y: Int
        var width: Int
        var height: Int
        /// One list of planes for each list of PSFs.
        var planes: [[[Float]]]
    }

    /// Arcseconds a pixel.
    let pixelScale: Double
    /// Cells a pixel's side is divided into.
    let cellsPerPixel: Int
    private let transform: PointSpreadTransform
    private let convolutions: [Int: PlanarConvolution]
    private var cell: Double { pixelScale / Double(cellsPerPixel) }

    /// - Parameters:
    ///   - largest: the longest side that is drawn, in pixels, margins included.
    package init(pixelScale: Double, psf: PointSpread.Shape = .moffat(beta: 3), cellsPerPixel: Int = 4, largest: Int) {
        self.pixelScale = pixelScale
        self.cellsPerPixel = cellsPerPixel
        transform = PointSpreadTransform(psf)
        var convolutions: [Int: PlanarConvolution] = [:]
        var side = PlanarConvolution.side(atLeast: 32)
        while true {
            convolutions[side] = PlanarConvolution(side: side)
            if side >= largest * cellsPerPixel { break }
            side = PlanarConvolution.side(atLeast: side + 1)
        }
        self.convolutions = convolutions
    }

    /// The kernels of some PSFs, made once for each side of a grid.
    struct Kernels {
        let psfs: [[PointSpread]]
        fileprivate var bySide: [Int: [[PlanarConvolution.Kernel]]] = [:]

        init(_ psfs: [[PointSpread]]) { self.psfs = psfs }
    }

    /// A square stamp with the scene's origin in its middle (for even sizes between four pixels), in each band.
    ///
    /// - Parameter psfs: one a band; the result is in the unit of the components' flux, the first row at the bottom.
    package func render(_ components: [LightComponent], size: Int, psfs: [PointSpread]) -> [[Float]] {
        var kernels = Kernels([psfs])
        let centre = Double(size - 1) / 2
        let margin = 16
        let stamp = render(
            components, x: centre, y: centre, columns: -margin..<size + margin, rows: -margin..<size + margin,
            kernels: &kernels)
        return stamp.planes[0].map { plane in
            (margin..<size + margin).flatMap { plane[$0 * stamp.width + margin..<$0 * stamp.width + margin + size] }
        }
    }

    /// The light of components in a rectangle of pixels.
    ///
    /// - Parameters:
    ///   - x, y: where the components' origin is, in pixels, whose centres are integers.
    ///   - faintest: light per square arcsecond that need not be drawn.
    ///   - finer: keeps the cells; width and height then count cells.
    func render(
        _ components: [LightComponent], x: Double, y: Double, columns: Range<Int>, rows: Range<Int>,
        faintest: Double = 0, finer: Bool = false, kernels: inout Kernels
    ) -> Stamp {
        let n = cellsPerPixel
        let side = PlanarConvolution.side(atLeast: max(32, max(columns.count, rows.count) * n))
        guard let convolution = convolutions[side], let bands = kernels.psfs.first?.count else {
            preconditionFailure("[render] expected at most \(convolutions.keys.max() ?? 0) cells a side, got \(side)")
        }
        let painter = ComponentPainter(
            side: side, cell: cell,
            origin: (
                (x - Double(columns.lowerBound) + 0.5) * Double(n) - 0.5,
                (y - Double(rows.lowerBound) + 0.5) * Double(n) - 0.5
            ), faintest: faintest)
        var planes = [[Float]](repeating: [Float](repeating: 0, count: side * side), count: bands)
        for component in components {
            precondition(component.flux.count == bands, "[render] expected a flux for each of \(bands) bands")
            painter.paint(component, into: &planes)
        }
        let sets =
            kernels.bySide[side]
            ?? kernels.psfs.map { $0.map { transform.kernel($0, side: side, cell: cell) } }
        kernels.bySide[side] = sets
        let (width, height) = finer ? (columns.count * n, rows.count * n) : (columns.count, rows.count)
        return Stamp(
            x: columns.lowerBound, y: rows.lowerBound, width: width, height: height,
            planes: convolution.convolve(planes, with: sets).map { convolved in
                convolved.map { Self.binned($0, side: side, width: width, height: height, by: finer ? 1 : n) }
            })
    }

    private static func binned(_ plane: [Float], side: Int, width: Int, height: Int, by n: Int) -> [Float] {
        var result = [Float](repeating: 0, count: width * height)
        for y in 0..<height * n {
            let (from, to) = (y * side, y / n * width)
            for x in 0..<width {
                var sum: Float = 0
                for i in 0..<n { sum += plane[from + x * n + i] }
                result[to + x] += sum
            }
        }
        return result
    }

    /// How far from a component's place its light is worth drawing, arcsec.
    static func reach(_ component: LightComponent, faintest: Double, cell: Double) -> Double {
        let flux = component.flux.max() ?? 0
        guard flux > 0 else { return 0 }
        let floor = faintest / flux * component.axisRatio
        func sersic(_ index: Double, _ radius: Double, _ floor: Double) -> Double {
            let profile = SersicProfile(index: index, halfLightRadius: radius)
            let whole = profile.radius(holding: 0.9995)
            return floor > 0 ? min(whole, profile.radius(ofIntensity: floor)) : whole
        }
        let extent =
            switch component.shape {
            case .sersic(let index, let radius): sersic(index, radius, floor)
            case .arms(let radius, _, _, _): sersic(1, radius, floor / 3.2)
            case .bar(let length, let width, _): max(1.8 * length, 5 * width)
            case .ring(let radius, let width), .arc(let radius, let width, _): radius + 5 * width
            case .tail(let length, let width, let curvature): min(1.5 * length, 2 * abs(curvature)) + 10 * width
            case .edgeOn(let length, _, _, _): 8 * length
            case .lensed(let radius, let x, let y, let index, let size):
                2 * radius + (x * x + y * y).squareRoot() + sersic(index, size, floor / 4)
            case .point: 0.0
            case .streak(let length, _): length / 2
            }
        return extent + (component.x * component.x + component.y * component.y).squareRoot()
    }
}
