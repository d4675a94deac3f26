import ArgumentParser
import AstroIO
import ImageProcessing

/// A width on the sky or on pixels: `1.2`, `1.2arcsec` or `4.5px`.
struct AngularWidth: ExpressibleByArgument {
    var value: Double
    var isPixels: Bool

    init?(argument: String) {
        isPixels = argument.hasSuffix("px")
        let number =
            isPixels ? argument.dropLast(2) : argument.hasSuffix("arcsec") ? argument.dropLast(6) : argument[...]
        guard let value = Double(number), value > 0, value.isFinite else { return nil }
        self.value = value
    }

    /// - Throws: `RestorationError` for arcseconds on an image without WCS.
    func pixels(of image: Image) throws(RestorationError) -> Double {
        if isPixels { return value }
        guard let scale = image.wcs?.pixelScaleArcsec, scale > 0 else {
            throw RestorationError(.psf, "the image has no WCS, so that widths are to be given in pixels (4.5px)")
        }
        return value / scale
    }
}
