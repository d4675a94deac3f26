import Foundation

/// One source of one band, ready to be measured.
package struct MorphometryInput: Sendable {
    /// Light with the sky subtracted.
    package var light: Plane<Double>
    /// Which source a pixel belongs to, 0 for the sky.
    package var segmentation: Plane<Int32>
    /// The source that is to be measured.
    package var label: Int32
    /// Pixels that do not count; nil for none.
    package var masked: Plane<Bool>?
    /// Standard deviation of each pixel, sky and source together.
    package var sigma: Plane<Double>
    /// The point-spread function on the same pixels, with an odd number of rows and columns, its centre in the middle; nil
    /// where it is not known: models are then not convolved.
    package var psf: Plane<Double>?

    package init(
        light: Plane<Double>, segmentation: Plane<Int32>, label: Int32, masked: Plane<Bool>? = nil,
        sigma: Plane<Double>, psf: Plane<Double>? = nil
    ) {
        precondition(
            segmentation.width == light.width && segmentation.height == light.height && sigma.width == light.width
                && sigma.height == light.height,
            "[MorphometryInput] expected planes of \(light.height) × \(light.width)")
        self.light = light
        self.segmentation = segmentation
        self.label = label
        self.masked = masked
        self.sigma = sigma
        self.psf = psf
    }
}

/// The part of an image around a source in which everything is measured, as statmorph cuts it: 2.5 times the size of the
/// segment, at least 48 pixels (Rodriguez-Gomez et al. 2019, MNRAS 483, 4140).
struct SourceStamp {
    let x0: Int
    let y0: Int
    /// Pixels of other sources, masked ones, those that are no number, and outliers.
    let masked: Plane<Bool>
    /// As `masked`, and all that is not of the source.
    let maskedOutside: Plane<Bool>
    /// Light, 0 where masked.
    let light: Plane<Double>
    /// Light of the segment, 0 elsewhere.
    let segment: Plane<Double>
    /// 0 where masked.
    let sigma: Plane<Double>
    /// Where a box of empty sky may be looked for: no source and no mask of the user.
    let isSky: Plane<Bool>
    let psf: Plane<Double>?
    /// The segment reaches the border of the image.
    let touchesEdge: Bool

    var width: Int { light.width }
    var height: Int { light.height }
    /// The longest distance in the stamp.
    var diagonal: Double { Double(width * width + height * height).squareRoot() }

    /// nil where no pixel has the label.
    init?(_ input: MorphometryInput, extent: Double = 2.5, minimalSide: Int = 48, outlierSigmas: Double = 10) {
        let (width, height) = (input.light.width, input.light.height)
        var (left, right, bottom, top) = (width, -1, height, -1)
        for y in 0..<height {
            for x in 0..<width where input.segmentation[x, y] == input.label {
                (left, right) = (min(left, x), max(right, x))
                (bottom, top) = (min(bottom, y), max(top, y))
            }
        }
        guard right >= 0 else { return nil }
        touchesEdge = left == 0 || bottom == 0 || right == width - 1 || top == height - 1
        let (dx, dy) = (right + 1 - left, top + 1 - bottom)
        let (xc, yc) = (left + dx / 2, bottom + dy / 2)
        let reach = max(Int(Double(max(dx, dy)) * extent / 2), minimalSide / 2)
        let columns = max(0, xc - reach)..<min(width, xc + reach)
        let rows = max(0, yc - reach)..<min(height, yc + reach)
        (x0, y0) = (columns.lowerBound, rows.lowerBound)
        let raw = input.light.cropped(columns, rows)
        let segmentation = input.segmentation.cropped(columns, rows)
        let noise = input.sigma.cropped(columns, rows)
        let given = input.masked?.cropped(columns, rows)
        let outliers = Self.outliers(raw, sigmas: outlierSigmas)
        var masked = Plane(width: raw.width, height: raw.height, filledWith: false)
        var outside = masked
        var sky = masked
        for index in raw.values.indices {
            let label = segmentation.values[index]
            let hidden = given?.values[index] ?? false
            masked.values[index] =
                label != 0 && label != input.label || hidden || !raw.values[index].isFinite
                || !noise.values[index].isFinite || outliers[index]
            outside.values[index] = masked.values[index] || label == 0
            sky.values[index] = label == 0 && !hidden
        }
        self.masked = masked
        maskedOutside = outside
        isSky = sky
        light = raw.kept(where: masked.map { !$0 })
        segment = raw.kept(where: outside.map { !$0 })
        sigma = noise.kept(where: masked.map { !$0 })
        psf = input.psf
    }

    /// Pixels further than ten standard deviations of their eight neighbours from the mean of these (Lotz et al. 2004).
    private static func outliers(_ plane: Plane<Double>, sigmas: Double) -> [Bool] {
        let (width, height) = (plane.width, plane.height)
        var result = [Bool](repeating: false, count: plane.values.count)
        func value(_ x: Int, _ y: Int) -> Double {
            let value = plane[min(max(x, 0), width - 1), min(max(y, 0), height - 1)]
            return value.isFinite ? value : 0
        }
        for y in 0..<height {
            for x in 0..<width {
                var (sum, squares) = (0.0, 0.0)
                for v in (y - 1)...(y + 1) {
                    for u in (x - 1)...(x + 1) where u != x || v != y {
                        let neighbour = value(u, v)
                        sum += neighbour
                        squares += neighbour * neighbour
                    }
                }
                let mean = sum / 8
                let deviation = max(0, squares / 8 - mean * mean).squareRoot()
                result[y * width + x] = abs(plane[x, y] - mean) > sigmas * deviation
            }
        }
        return result
    }
}
