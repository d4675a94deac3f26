import AstroIO
import Foundation
import TestSupport
import Testing

/// The FITS and WCS conformance files, read as astropy reads them.
@Suite("FITS conformance files read as astropy says", .enabled(if: DevelopmentImages.areInstalled))
struct ConformanceTests {
    /// One row of the reference table: an HDU.
    struct Reference: CustomTestStringConvertible {
        var file: String
        var hdu: String
        var axes: [Int]
        var compression: String
        var count: Int
        var nan: Int
        var sum: Double
        var minimum: Double
        var maximum: Double
        var first: Double
        var last: Double

        var testDescription: String { "\(file)[\(hdu)]" }
    }

    static let references: [Reference] = {
        let path = DevelopmentImages.path("fits_conformance/reference_astropy.csv")
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            guard cells.count >= 16, cells[7] == "image" else { return nil }
            func number(_ index: Int) -> Double { Double(cells[index]) ?? .nan }
            return Reference(
                file: cells[0], hdu: cells[1], axes: cells[5].split(separator: "x").compactMap { Int($0) },
                compression: cells[6], count: Int(cells[8]) ?? 0, nan: Int(cells[10]) ?? 0, sum: number(11),
                minimum: number(12), maximum: number(13), first: number(14), last: number(15))
        }
    }()

    @Test("there are images in the table")
    func table() {
        #expect(Self.references.count > 30)
    }

    @Test("an image HDU has astropy's shape and values", arguments: references)
    func image(_ reference: Reference) throws {
        let path = DevelopmentImages.path("fits_conformance/" + reference.file)
        let image: Image
        do {
            image = try ImageReader.read(path, options: ImageReadOptions(hdu: reference.hdu, joinsPlanes: false))
        } catch {
            // Images with one axis or with four long ones are no pictures.
            let long = reference.axes.filter { $0 > 1 }.count
            #expect(error.path == path && !error.reason.isEmpty)
            #expect(
                reference.axes.count < 2 || long > 3 || reference.axes.contains(0)
                    || reference.file.contains("invalid"),
                "\(reference.axes): \(error)")
            return
        }
        #expect(image.pixels.count == reference.count)
        #expect(image.width == reference.axes[0] && image.height == reference.axes[1])
        let finite = image.pixels.filter(\.isFinite).map(Double.init)
        #expect(image.pixels.count - finite.count == reference.nan)
        // Pixels are float32, the table has ten digits.
        func agrees(_ value: Double, _ expected: Double) -> Bool {
            if expected.isNaN { return true }
            return abs(value - expected) <= 1e-6 * max(abs(expected), 1e-3)
        }
        #expect(
            agrees(finite.min() ?? .nan, reference.minimum), "minimum \(finite.min() ?? .nan), not \(reference.minimum)"
        )
        #expect(
            agrees(finite.max() ?? .nan, reference.maximum), "maximum \(finite.max() ?? .nan), not \(reference.maximum)"
        )
        if image.pixels[0].isFinite { #expect(agrees(Double(image.pixels[0]), reference.first)) }
        if let last = image.pixels.last, last.isFinite { #expect(agrees(Double(last), reference.last)) }
        let sum = finite.reduce(0, +)
        let scale = finite.reduce(0) { $0 + abs($1) }
        #expect(
            finite.isEmpty || abs(sum - reference.sum) <= 1e-6 * max(scale, 1e-3), "sum \(sum), not \(reference.sum)")
    }

    @Test("every file, the invalid ones too, is described or refused with a reason; none crashes")
    func everyFile() {
        let files = DevelopmentImages.files(
            below: "fits_conformance", endings: [".fits", ".fit", ".fz", ".gz", ".bz2", ".z", ".hdr"])
        #expect(files.count > 80)
        for file in files {
            do {
                let description = try ImageReader.describe(file)
                #expect(!description.parts.isEmpty)
            } catch {
                #expect(error.path == file && !error.reason.isEmpty)
            }
        }
    }
}
