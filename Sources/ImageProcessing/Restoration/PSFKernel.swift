public import AstroIO
import Foundation

/// A point-spread function on pixels: a square of odd side, its centre in the middle pixel, sum 1.
public struct PSFKernel: Sendable, Equatable {
    /// Pixels from the centre to the edge; the side is 2 · radius + 1.
    public let radius: Int
    /// side × side, row by row.
    public let values: [Float]

    public var side: Int { 2 * radius + 1 }

    /// - Parameter values: side × side numbers, normalised here.
    /// - Throws: `RestorationError` (`psf`) when they are not finite or have no positive sum.
    public init(radius: Int, values: [Float]) throws(RestorationError) {
        precondition(values.count == (2 * radius + 1) * (2 * radius + 1), "[PSFKernel] expected an odd square")
        let sum = values.reduce(0.0) { $0 + Double($1) }
        guard sum.isFinite, sum > 0 else {
            throw RestorationError(.psf, "the point-spread function is not finite or has no positive sum")
        }
        self.radius = radius
        self.values = values.map { Float(Double($0) / sum) }
    }

    /// The largest radius that is used; wings beyond it are cut.
    public static let maximalRadius = 24

    /// A Moffat function (1 + (r/α)²)^−β (Moffat 1969, A&A 3, 455) at the pixels' centres.
    ///
    /// - Parameter fwhm: full width at half maximum in pixels as measured on an image, the pixels' own width included.
    public static func moffat(fwhm: Double, beta: Double = 3) throws(RestorationError) -> PSFKernel {
        try checked(fwhm)
        let inverse = 4 * (pow(2, 1 / beta) - 1) / (fwhm * fwhm)
        return try sampled(radius: Int((4 * fwhm).rounded(.up))) { pow(1 + $0 * inverse, -beta) }
    }

    /// A Gaussian of a full width at half maximum in pixels.
    public static func gaussian(fwhm: Double) throws(RestorationError) -> PSFKernel {
        try checked(fwhm)
        let factor = 4 * log(2.0) / (fwhm * fwhm)
        return try sampled(radius: Int((2 * fwhm).rounded(.up))) { exp(-factor * $0) }
    }

    /// The PSF in an image of one band: centred on its centre of light, background as it is.
    ///
    /// - Throws: `RestorationError` (`psf`) for several bands, pixels that are not finite, and no positive sum.
    public static func image(_ image: Image) throws(RestorationError) -> PSFKernel {
        guard image.bands.count == 1 else {
            throw RestorationError(.psf, "the image of a PSF has one band, this one has \(image.bands.count)")
        }
        guard image.pixels.allSatisfy(\.isFinite) else {
            throw RestorationError(.psf, "the PSF has pixels that are no numbers")
        }
        let peak = image.pixels.indices.max { image.pixels[$0] < image.pixels[$1] }!
        let (x, y) = (peak % image.width, peak / image.width)
        let radius = min(maximalRadius, max(x, y, image.width - 1 - x, image.height - 1 - y))
        var values: [Float] = []
        for row in (y - radius)...(y + radius) {
            for column in (x - radius)...(x + radius) {
                let inside = (0..<image.height).contains(row) && (0..<image.width).contains(column)
                values.append(inside ? image.pixels[row * image.width + column] : 0)
            }
        }
        return try PSFKernel(radius: radius, values: values)
    }

    /// Full width at half maximum in pixels: the diameter of the circle whose area is that above half of the peak, with
    /// pixels divided by linear interpolation along the four half-axes.
    public var fwhm: Double {
        let peak = values[radius * side + radius]
        func reach(_ dx: Int, _ dy: Int) -> Double {
            var last = peak
            for step in 1...max(radius, 1) where step <= radius {
                let value = values[(radius + dy * step) * side + radius + dx * step]
                if value < peak / 2 { return Double(step) - Double((peak / 2 - value) / (last - value)) }
                last = value
            }
            return Double(radius)
        }
        return (reach(1, 0) + reach(-1, 0) + reach(0, 1) + reach(0, -1)) / 2
    }

    private static func checked(_ fwhm: Double) throws(RestorationError) {
        guard fwhm > 0.5, fwhm <= 20 else {
            throw RestorationError(.psf, "a PSF of \(fwhm) pixels FWHM cannot be used; expected 0.5 … 20")
        }
    }

    private static func sampled(radius: Int, _ profile: (Double) -> Double) throws(RestorationError) -> PSFKernel {
        let radius = min(max(radius, 3), maximalRadius)
        var values: [Float] = []
        for y in -radius...radius {
            for x in -radius...radius {
                values.append(Float(profile(Double(x * x + y * y))))
            }
        }
        return try PSFKernel(radius: radius, values: values)
    }
}
