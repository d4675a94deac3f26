public import AstroIO
import Foundation

/// The AB magnitude of one unit of an image's flux.
public struct PhotometricZeroPoint: Sendable, Equatable {
    public let magnitude: Double
    /// Where it comes from: a keyword, a unit, or `instrumental`.
    public let origin: String

    public init(_ magnitude: Double, origin: String) {
        self.magnitude = magnitude
        self.origin = origin
    }

    /// Keywords in which surveys and programs write it.
    static let keywords = [
        "MAGZERO", "MAGZPT", "MAGZP", "MAG_ZP", "ZEROPT", "ZEROPNT", "PHOTZP", "ZPT", "MAG_ZERO", "FLUXMAG0",
        "PHOTZPT",
    ]

    /// From the unit (nanomaggies, Jy and its parts), else a keyword of the header; else 0, for instrumental magnitudes as
    /// SExtractor's default gives them.
    public init(of image: Image) {
        if let magnitude = Self.magnitude(ofUnit: image.unit) {
            self.init(magnitude, origin: image.unit ?? "")
            return
        }
        for keyword in Self.keywords {
            guard let value = image.header.number(keyword) else { continue }
            // Rubin and HSC: the flux of magnitude 0.
            if keyword == "FLUXMAG0" {
                guard value > 0 else { continue }
                self.init(2.5 * log10(value), origin: keyword)
            } else {
                self.init(value, origin: keyword)
            }
            return
        }
        self.init(0, origin: "instrumental")
    }

    private static func magnitude(ofUnit unit: String?) -> Double? {
        switch unit?.lowercased().replacing(" ", with: "") {
        case "nanomaggy", "nanomaggies", "nanomaggie", "nmgy": 22.5
        case "jy": 8.9
        case "mjy": 16.4
        case "ujy", "microjy", "µjy": 23.9
        case "njy": 31.4
        default: nil
        }
    }

    /// Magnitude and its error; NaN for a flux that is not positive.
    public func magnitude(flux: Double, error: Double) -> (value: Double, error: Double) {
        guard flux > 0 else { return (.nan, .nan) }
        return (magnitude - 2.5 * log10(flux), 2.5 / log(10) * error / flux)
    }
}
