import ArgumentParser
import AstroIO
import Foundation
import ImageProcessing

struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Say what is in image files.",
        discussion: """
            HDUs, shape, bands, WCS, pixel scale, mask fraction, and statistics of every band: minimum, median, maximum, and \
            level and noise of the sky (3σ-clipped). Pixels count from 0 with centres at integers, so that FITS pixel (1, 1) is (0, 0).

            Exit status 3 when a file cannot be used; the others are described.
            """)

    @Argument(help: "Files.")
    var files: [String]

    @Option(
        help: "Image extension to describe in detail, by name or number (0 = primary); the first image when not given.")
    var hdu: String?

    @Flag(help: "Also print the cards of the image's header.")
    var header = false

    func run() throws {
        var failures = 0
        for (index, path) in files.enumerated() {
            if index > 0 { print() }
            do throws(ImageError) {
                let description = try ImageReader.describe(path)
                print(Self.overview(description))
                let image = try ImageReader.read(path, options: ImageReadOptions(hdu: hdu))
                print(Self.details(image))
                if header {
                    for card in image.header.cards {
                        let comment = card.comment.map { card.value == nil ? $0 : "  / \($0)" } ?? ""
                        print(
                            "  \(card.keyword.padding(toLength: 8, withPad: " ", startingAt: 0)) \(card.value ?? "")\(comment)"
                        )
                    }
                }
            } catch {
                // A valid file without an image, such as a catalog, is described all the same.
                if error.kind == .content, hdu == nil {
                    print("  \(error.reason)")
                    continue
                }
                failures += 1
                // A single file that cannot be used is an error like any other.
                if files.count == 1 { throw error }
                FileHandle.standardError.write(Data("\(error)\n".utf8))
            }
        }
        if failures > 0 { throw ExitCode(3) }
    }

    // MARK: - Text

    private static func overview(_ file: FileDescription) -> String {
        let size = file.fileSize.formatted(.byteCount(style: .file))
        var lines = ["\(file.path): \(file.format)\(file.packing.map { ", \($0)" } ?? ""), \(size)"]
        for part in file.parts {
            var words = [part.kind]
            if !part.axes.isEmpty {
                words.append(
                    part.kind.hasSuffix("table")
                        ? "\(part.axes.last ?? 0) rows" : part.axes.map(String.init).joined(separator: " × "))
            }
            words += [
                part.pixelType, part.compression, part.role, part.band.map { "band \($0)" },
                part.unit.map { "[\($0)]" },
            ]
            .compactMap(\.self)
            if let defect = part.defect { words.append("NOT READABLE: \(defect)") }
            let number = part.number.map { "\($0)" } ?? ""
            let name = part.name.padding(toLength: max(10, part.name.count), withPad: " ", startingAt: 0)
            lines.append("  \(number)  \(part.number == nil ? "" : name + "  ")\(words.joined(separator: ", "))")
        }
        if let trailer = file.trailer { lines.append("  after the last HDU: \(trailer)") }
        return lines.joined(separator: "\n")
    }

    private static func details(_ image: Image) -> String {
        let roles = image.provenance.sources.map { "\($0.role)\($0.hdu.map { " (HDU \($0))" } ?? "")" }
        var lines = ["  image      \(image.width) × \(image.height) pixels, \(roles.joined(separator: ", "))"]
        if let wcs = image.wcs {
            let (width, height) = (Double(image.width - 1), Double(image.height - 1))
            var text = "\(wcs.projection), \(wcs.frame.rawValue)"
            if let centre = wcs.pixelToSky(x: width / 2, y: height / 2) {
                text += ", centre \(fixed(centre.ra, 6)) \(centre.dec < 0 ? "" : "+")\(fixed(centre.dec, 6))"
            }
            lines.append("  WCS        \(text)")
            lines.append(
                "  pixel      \(significant(wcs.pixelScaleArcsec)) arcsec, north \(fixed(wcs.rotationDegrees, 2))° from +y towards −x\(wcs.isSkyParity ? "" : ", mirrored")"
            )
            let corners = [(0, 0), (width, 0), (width, height), (0, height)].map { corner -> String in
                guard let sky = wcs.pixelToSky(x: corner.0, y: corner.1) else { return "outside the projection" }
                return "\(fixed(sky.ra, 7)) \(sky.dec < 0 ? "" : "+")\(fixed(sky.dec, 7))"
            }
            lines.append("  corners    \(corners[0]), \(corners[1]),")
            lines.append(
                "             \(corners[2]), \(corners[3])  (centres of the pixels, anticlockwise from the first)")
            let side = wcs.pixelScaleArcsec / 60
            lines.append("  field      \(significant((width + 1) * side)) × \(significant((height + 1) * side)) arcmin")
        } else {
            lines.append("  WCS        none")
        }
        lines.append("  masked     \(fixed(100 * image.maskFraction, 2)) % of the pixels")
        if let variance = image.variance {
            let known = variance.filter(\.isFinite)
            lines.append("  variance   \(known.isEmpty ? "nowhere known" : "median \(significant(median(known)))")")
        }
        let unit = image.unit.map { " [\($0)]" } ?? ""
        let table = TextTable([
            .init("", 1), .init("band" + unit, 9), .init("minimum", 11, right: true), .init("median", 11, right: true),
            .init("maximum", 11, right: true), .init("sky", 11, right: true), .init("noise", 11, right: true),
            .init("not finite", 10, right: true),
        ])
        lines.append(table.head)
        for (index, band) in image.bands.enumerated() {
            let range = (index * image.planeSize)..<((index + 1) * image.planeSize)
            var (values, invalid): ([Float], Int) = ([], 0)
            for position in range {
                let value = image.pixels[position]
                if !value.isFinite {
                    invalid += 1
                } else if image.mask.map({ $0[position].isEmpty }) ?? true {
                    values.append(value)
                }
            }
            let sky = SkyEstimate(values)
            lines.append(
                table.row([
                    "", band, values.min().map(significant) ?? "-", values.isEmpty ? "-" : significant(median(values)),
                    values.max().map(significant) ?? "-", sky.map { significant($0.level) } ?? "-",
                    sky.map { significant($0.noise) } ?? "-", String(invalid),
                ]))
        }
        return lines.joined(separator: "\n")
    }

    private static func median(_ values: [Float]) -> Float {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
