import AstroIO
import Foundation

/// What the header of an image says about magnitudes and seeing.
enum PhotometricSystem {
    /// AB magnitude of one unit of the image: from its unit, else from the keywords that surveys use; nil where nothing is said.
    static func zeroPoint(of image: Image) -> Double? {
        if let unit = image.unit?.lowercased().replacing(" ", with: "") {
            let jansky: [String: Double] = ["njy": 31.4, "ujy": 23.9, "µjy": 23.9, "mjy": 16.4, "jy": 8.9]
            if ["nanomaggy", "nanomaggies", "nmgy"].contains(unit) { return 22.5 }
            if let point = jansky[unit] { return point }
        }
        for keyword in ["MAGZERO", "MAGZPT", "MAGZP", "MAG0", "PHOTZP", "ZEROPNT", "ZP"] {
            if let value = image.header.number(keyword) { return value }
        }
        if let flux = image.header.number("FLUXMAG0"), flux > 0 { return 2.5 * log10(flux) }
        return nil
    }

    /// Width of the PSF of a band at half of its maximum, arcsec; nil where the header does not say.
    static func seeing(of image: Image, band: String) -> Double? {
        let name = band.uppercased()
        for keyword in ["SEEING_" + name, "PSFSIZ_" + name, "PSF_FWHM", "PSFSIZE", "SEEING", "FWHM"] {
            if let value = image.header.number(keyword), value > 0, value < 60 { return value }
        }
        return nil
    }
}
