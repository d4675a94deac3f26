import ArgumentParser
import AstroIO
import Datasets
import ImageProcessing

struct ViewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "view",
        abstract: "Draw an image as PNG.",
        discussion: """
            Several files of one object are joined, a band each (m51-g.fits m51-r.fits m51-z.fits). Rows of FITS images \
            are drawn from the bottom up. Masked pixels are black.

              lenticular view field.fits.fz -o field.png
              lenticular view m51.fits --hdu SCI --stretch log --limits zscale -o m51.png
              lenticular view cutout_grz.fits --stretch legacy --size 512 -o cutout.png
            """)

    enum Style: String, CaseIterable, ExpressibleByArgument {
        case auto, linear, sqrt, log, asinh, lupton, legacy
    }

    @Argument(help: "File, or the files of one object.")
    var files: [String]

    @Option(name: .shortAndLong, help: "Picture to write (PNG).")
    var output: String

    @Option(
        help: """
            auto: sky-subtracted, noise-scaled asinh, in colour where there are bands; linear, sqrt, log, asinh: the \
            mean of the bands in grey; lupton: astropy's make_lupton_rgb; legacy: the Legacy Surveys' colours.
            """)
    var stretch: Style = .auto

    @Option(
        help: "Black and white of grey pictures: minmax, zscale, a percentage (99.5), or two values (-0.1,3).")
    var limits = "99.5"

    @Option(help: "Bands to draw, by name, shortest wavelength first (g,r,z); a single one gives a grey picture.")
    var bands: String?

    @Option(help: "Image extension by name or number (0 = primary).")
    var hdu: String?

    @Option(help: "Longer side of the picture in pixels; the image's own size when not given.")
    var size: Int?

    @Option(help: "Centre to keep: a fraction of the shorter side (0.7), pixels (128px) or arcsec (20arcsec).")
    var crop: StampNormalization.Crop?

    @Option(help: "Lupton: intensity at which the curve turns from linear to logarithmic.")
    var luptonStretch: Float = 0.5

    @Option(help: "Lupton: softening Q.")
    var luptonQ: Float = 10

    func validate() throws {
        if let size, !(1...32767).contains(size) { throw ValidationError("--size: expected 1 … 32767 pixels") }
        if Self.parse(limits) == nil {
            throw ValidationError("--limits: expected minmax, zscale, a percentage or two values, got '\(limits)'")
        }
    }

    func run() throws {
        let reader = StampReader(
            normalization: StampNormalization(size: 1, mean: [0, 0, 0], deviation: [1, 1, 1]),
            bands: (bands ?? "").split(separator: ",").map { String($0) }, hdu: hdu)
        var image = try reader.image(of: FileDiscovery.object(joining: files))
        if let crop {
            let side = crop.side(width: image.width, height: image.height, pixelScale: image.wcs?.pixelScaleArcsec)
            image = image.cropped(
                x: (image.width - side) / 2, y: (image.height - side) / 2, width: side, height: side)
        }
        var picture = try Composite.rgb(from: image, style: style)
        if let size {
            let longer = max(picture.width, picture.height)
            picture = picture.resized(
                width: max(1, picture.width * size / longer), height: max(1, picture.height * size / longer))
        }
        try picture.writePNG(to: output)
        print("\(output): \(picture.width) × \(picture.height), bands \(image.bands.joined(separator: ", "))")
    }

    private var style: Composite.Style {
        func grey(_ curve: Stretch.Curve) -> Composite.Style {
            .grey(Stretch(curve, limits: Self.parse(limits) ?? .minimumMaximum))
        }
        return switch stretch {
        case .auto: .automatic
        case .linear: grey(.linear)
        case .sqrt: grey(.sqrt)
        case .log: grey(.log())
        case .asinh: grey(.asinh())
        case .lupton: .lupton(stretch: luptonStretch, q: luptonQ)
        case .legacy: .legacy
        }
    }

    private static func parse(_ text: String) -> Stretch.Limits? {
        switch text {
        case "minmax": return .minimumMaximum
        case "zscale": return .zscale()
        default:
            let numbers = text.split(separator: ",").map { Float($0) }
            if numbers.count == 1, let part = numbers[0], part > 0, part <= 100 { return .percentile(part) }
            if numbers.count == 2, let black = numbers[0], let white = numbers[1], black < white {
                return .explicit(black: black, white: white)
            }
            return nil
        }
    }
}
