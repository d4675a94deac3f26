import AstroIO
import Foundation
import TestSupport
import Testing

@Suite("PNG and JPEG pictures")
struct PictureTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/images").path

    @Test("samples are those that Pillow reads")
    func samples() throws {
        let table = try String(contentsOfFile: Self.folder + "/pictures.csv", encoding: .utf8)
        var images: [String: Image] = [:]
        for line in table.split(separator: "\n").dropFirst() {
            let cells = line.split(separator: ",").map(String.init)
            let image = try images[cells[0]] ?? ImageReader.read(Self.folder + "/" + cells[0])
            images[cells[0]] = image
            let (x, y) = (try #require(Int(cells[1])), try #require(Int(cells[2])))
            #expect(image.width == 33 && image.height == 21 && image.rowOrder == .topDown)
            for (band, cell) in cells.dropFirst(3).enumerated() {
                let value = image.pixels[band * image.planeSize + y * image.width + x]
                // JPEG decoders differ by a count or two in their arithmetic.
                let tolerance: Float = cells[0].hasSuffix("jpg") ? 2 : 0
                #expect(abs(value - (Float(cell) ?? .nan)) <= tolerance, "\(cells[0]) (\(x), \(y)) band \(band)")
            }
        }
        #expect(images.count == 9)
        #expect(images["grey16.png"]?.sampleMaximum == 65535 && images["grey16.png"]?.bands == ["grey"])
        #expect(images["rgb8.png"]?.bands == ["R", "G", "B"] && images["rgb8.png"]?.mask == nil)
    }

    @Test("pixels with alpha 0 are masked")
    func alpha() throws {
        let image = try ImageReader.read(Self.folder + "/rgba8.png")
        let mask = try #require(image.mask)
        #expect(mask[0] == .noData && mask[10 * 33 + 20] == [] && mask[2 * image.planeSize] == .noData)
    }

    @Test("what is written as PNG reads back the same, in 8 and 16 bits")
    func roundTrip() throws {
        try withTemporaryFolder { folder in
            let narrow = (0..<(5 * 4 * 3)).map { UInt8($0 * 4) }
            try PNGWriter.write(width: 5, height: 4, channels: 3, samples: narrow, to: folder + "/a.png")
            let colour = try ImageReader.read(folder + "/a.png")
            for i in 0..<20 {
                for band in 0..<3 { #expect(colour.pixels[band * 20 + i] == Float(narrow[3 * i + band])) }
            }
            let wide = (0..<20).map { UInt16($0 * 3000) }
            try PNGWriter.write(width: 5, height: 4, channels: 1, samples: wide, to: folder + "/b.png")
            #expect(try ImageReader.read(folder + "/b.png").pixels == wide.map { Float($0) })
        }
    }
}
