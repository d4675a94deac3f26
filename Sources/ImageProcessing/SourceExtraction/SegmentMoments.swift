import Foundation

/// Shapes of sources from the pixels of their segments, by the definitions of SExtractor (manual, section "Position and shape
/// parameters in image coordinates"): barycentre and second moments weighted by the light above zero.
public enum SegmentMoments {
    /// Measures all segments of a map.
    ///
    /// - Parameters:
    ///   - map: height × width, numbers 1 … count, 0 for sky.
    ///   - image: of the same size; masked pixels and negative ones have no weight.
    /// - Returns: a source a number, nil where a number has no pixel.
    public static func sources(of map: [Int32], count: Int, in image: DetectionImage) -> [DetectedSource?] {
        struct Sums {
            var area = 0
            var box = (left: Int.max, right: -1, bottom: Int.max, top: -1)
            var weight = 0.0, x = 0.0, y = 0.0, xx = 0.0, yy = 0.0, xy = 0.0
            var flux = 0.0, peak = -Double.infinity
            /// The same with equal weights: for segments without light above zero.
            var plainX = 0.0, plainY = 0.0
        }
        precondition(map.count == image.pixels.count, "[SegmentMoments] expected a map of the image's size")
        let width = image.width
        var sums = [Sums](repeating: Sums(), count: count)
        for i in map.indices where map[i] > 0 {
            let (x, y) = (i % width, i / width)
            let n = Int(map[i]) - 1
            sums[n].area += 1
            sums[n].box = (
                min(sums[n].box.left, x), max(sums[n].box.right, x), min(sums[n].box.bottom, y),
                max(sums[n].box.top, y)
            )
            sums[n].plainX += Double(x)
            sums[n].plainY += Double(y)
            guard image.mask[i] == 0 else { continue }
            let value = Double(image.pixels[i])
            sums[n].flux += value
            sums[n].peak = max(sums[n].peak, value)
            guard value > 0 else { continue }
            sums[n].weight += value
            sums[n].x += value * Double(x)
            sums[n].y += value * Double(y)
        }
        for i in map.indices where map[i] > 0 && image.mask[i] == 0 && image.pixels[i] > 0 {
            let n = Int(map[i]) - 1
            let value = Double(image.pixels[i])
            let dx = Double(i % width) - sums[n].x / sums[n].weight
            let dy = Double(i / width) - sums[n].y / sums[n].weight
            sums[n].xx += value * dx * dx
            sums[n].yy += value * dy * dy
            sums[n].xy += value * dx * dy
        }
        return sums.map { sum in
            guard sum.area > 0 else { return nil }
            let isLit = sum.weight > 0
            let shape = isLit ? axes(sum.xx / sum.weight, sum.yy / sum.weight, sum.xy / sum.weight) : axes(0, 0, 0)
            let touches =
                sum.box.left == 0 || sum.box.bottom == 0 || sum.box.right == width - 1
                || sum.box.top == image.height - 1
            return DetectedSource(
                x: isLit ? sum.x / sum.weight : sum.plainX / Double(sum.area),
                y: isLit ? sum.y / sum.weight : sum.plainY / Double(sum.area), xMinimum: sum.box.left,
                xMaximum: sum.box.right, yMinimum: sum.box.bottom, yMaximum: sum.box.top, area: sum.area, a: shape.a,
                b: shape.b, theta: shape.theta, isophotalFlux: sum.flux, peak: sum.peak.isFinite ? sum.peak : 0,
                flags: (touches ? 2 : 0) | (shape.isSingular ? 8 : 0))
        }
    }

    /// The axes of second moments. Singular ones (a line, a single pixel) get the width of a pixel, 1/12, added, as SExtractor does.
    static func axes(_ xx: Double, _ yy: Double, _ xy: Double) -> (
        a: Double, b: Double, theta: Double, isSingular: Bool
    ) {
        var (xx, yy) = (xx, yy)
        let isSingular = xx * yy - xy * xy < 0.00694
        if isSingular {
            xx += 1.0 / 12
            yy += 1.0 / 12
        }
        let mean = (xx + yy) / 2
        let difference = (xx - yy) / 2
        let root = (difference * difference + xy * xy).squareRoot()
        return (
            (mean + root).squareRoot(), max(mean - root, 1e-6).squareRoot(), 0.5 * atan2(2 * xy, xx - yy), isSingular
        )
    }
}
