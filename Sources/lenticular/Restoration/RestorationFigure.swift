import AstroIO
import Foundation
import ImageProcessing

/// An image before and after its restoration, side by side in one stretch.
struct RestorationFigure {
    let before: Image
    let after: Image
    /// The picture is not wider than this.
    static let maximalWidth = 3200
    /// Nor, where a whole factor allows, narrower than this.
    static let minimalWidth = 800

    func draw() -> RGBImage {
        let factor = after.width / before.width
        let (width, height, gap) = (after.width, after.height, 4)
        let total = 2 * width + gap
        let count = total * height
        var pixels = [Float](repeating: 0, count: after.bands.count * count)
        var mask = [PixelMask](repeating: .padded, count: pixels.count)
        for band in after.bands.indices {
            for y in 0..<height {
                for x in 0..<width {
                    let to = band * count + y * total + x
                    let from = band * before.planeSize + y / factor * before.width + x / factor
                    pixels[to] = before.pixels[from] / Float(factor * factor)
                    mask[to] = before.pixels[from].isFinite ? before.mask?[from] ?? [] : .noData
                    let restored = band * after.planeSize + y * width + x
                    pixels[to + width + gap] = after.pixels[restored]
                    // Filled pixels are shown.
                    let reason = after.mask?[restored] ?? []
                    mask[to + width + gap] = reason.contains(.interpolated) ? [] : reason
                }
            }
        }
        let picture = Composite.rgb(
            from: Image(
                bands: after.bands, width: total, height: height, pixels: pixels, mask: mask, rowOrder: after.rowOrder))
        // Stamps of some dozen pixels are enlarged by a whole number.
        let enlargement = Self.minimalWidth / total
        if enlargement > 1 { return picture.resized(width: enlargement * total, height: enlargement * height) }
        guard total > Self.maximalWidth else { return picture }
        return picture.resized(width: Self.maximalWidth, height: max(1, height * Self.maximalWidth / total))
    }
}
