import AstroIO
import Foundation
import ImageProcessing

/// The point-spread function of an image: its picture, and its full width at half maximum.
struct ImagePSF {
    /// In image pixels.
    let fwhm: Double
    let plane: Plane<Double>

    /// From a picture of it in a FITS file, its centre in the brightest pixel.
    ///
    /// - Throws: `MeasurementError` for a file that cannot be read or holds no light.
    init(path: String) throws(MeasurementError) {
        let image: Image
        do { image = try ImageReader.read(path) } catch { throw MeasurementError(path: path, error.description) }
        let values = image.pixels.prefix(image.planeSize).map { $0.isFinite ? Double($0) : 0 }
        let peak = values.indices.max { values[$0] < values[$1] } ?? 0
        guard values[peak] > 0 else { throw MeasurementError(path: path, "the PSF has no positive light") }
        let (cx, cy) = (peak % image.width, peak / image.width)
        let reach = min(cx, cy, image.width - 1 - cx, image.height - 1 - cy)
        guard reach >= 2 else {
            throw MeasurementError(path: path, "the PSF's brightest pixel is at the border of its picture")
        }
        plane = Plane(width: image.width, height: image.height, values: values).cropped(
            cx - reach..<cx + reach + 1, cy - reach..<cy + reach + 1)
        fwhm = Self.width(plane)
    }

    /// A Moffat profile (β = 3) of a width in pixels.
    init(fwhm: Double) {
        self.fwhm = fwhm
        let reach = min(max(Int((4 * fwhm).rounded(.up)), 4), 60)
        let inverse = 4 * (pow(2, 1.0 / 3) - 1) / (fwhm * fwhm)
        var values: [Double] = []
        for y in -reach...reach {
            for x in -reach...reach {
                var light = 0.0
                for j in 0..<5 {
                    for i in 0..<5 {
                        let (u, v) = (Double(x) + (Double(i) - 2) / 5, Double(y) + (Double(j) - 2) / 5)
                        light += pow(1 + (u * u + v * v) * inverse, -3)
                    }
                }
                values.append(light)
            }
        }
        plane = Plane(width: 2 * reach + 1, height: 2 * reach + 1, values: values)
    }

    /// The diameter of the circle whose area is that of the pixels above half of the maximum, edges interpolated.
    private static func width(_ plane: Plane<Double>) -> Double {
        let half = plane.values.max()! / 2
        var area = 0.0
        let steps = 4
        for y in 0..<(plane.height - 1) {
            for x in 0..<(plane.width - 1) {
                let corners = (plane[x, y], plane[x + 1, y], plane[x, y + 1], plane[x + 1, y + 1])
                for j in 0..<steps {
                    for i in 0..<steps {
                        let (fx, fy) = ((Double(i) + 0.5) / Double(steps), (Double(j) + 0.5) / Double(steps))
                        let value =
                            (1 - fy) * ((1 - fx) * corners.0 + fx * corners.1)
                            + fy * ((1 - fx) * corners.2 + fx * corners.3)
                        if value > half { area += 1 / Double(steps * steps) }
                    }
                }
            }
        }
        return 2 * (area / .pi).squareRoot()
    }
}
