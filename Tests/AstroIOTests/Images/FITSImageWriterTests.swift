import AstroIO
import Foundation
import TestSupport
import Testing

@Suite("FITS images that we write")
struct FITSImageWriterTests {
    /// Three bands with structure, a mask, variances, and a WCS with distortion.
    static func sample() throws -> Image {
        let (width, height) = (37, 23)
        let bands = ["g", "r", "z"]
        var pixels: [Float] = []
        for band in bands.indices {
            for y in 0..<height {
                for x in 0..<width {
                    let r2 = Float((x - 18) * (x - 18) + (y - 11) * (y - 11))
                    pixels.append(Float(band + 1) * 3 * exp(-r2 / 30) + 0.01 * Float((x * 7919 + y * 104_729) % 13 - 6))
                }
            }
        }
        var mask = [PixelMask](repeating: [], count: pixels.count)
        mask[5] = .saturated
        mask[900] = [.cosmicRay, .bad]
        pixels[40] = .nan
        pixels[41] = Float(bitPattern: 71362) // subnormal
        pixels[42] = -0.0
        mask[40] = .noData
        var variance = [Float](repeating: 0.01, count: pixels.count)
        variance[77] = .infinity
        let header = FITSHeader(cards: [
            .init("CTYPE1", value: "RA---TAN-SIP", isText: true), .init("CTYPE2", value: "DEC--TAN-SIP", isText: true),
            .init("CRVAL1", value: "150.1"), .init("CRVAL2", value: "-2.2"), .init("CRPIX1", value: "10.5"),
            .init("CRPIX2", value: "8.25"), .init("CD1_1", value: "-7.3E-5"), .init("CD1_2", value: "1.2E-6"),
            .init("CD2_1", value: "1.1E-6"), .init("CD2_2", value: "7.4E-5"), .init("A_ORDER", value: "2"),
            .init("B_ORDER", value: "2"), .init("A_2_0", value: "2.1E-5"), .init("B_1_1", value: "-1.4E-5"),
            .init("OBJECT", value: "it's a test", isText: true, comment: "with a quote"),
            .init("EXPTIME", value: "123.5", comment: "[s] exposure"),
        ])
        return Image(
            bands: bands, width: width, height: height, pixels: pixels, mask: mask, variance: variance,
            wcs: try WCS(header: header, path: "sample"), header: header, unit: "nanomaggy")
    }

    static let options: [FITSImageWriter.Options] = [
        .init(), .init(layout: .extensions), .init(compression: .gzip), .init(layout: .extensions, compression: .gzip),
        .init(compression: .rice), .init(layout: .extensions, compression: .hcompress), .init(pixelFormat: .int16),
        .init(pixelFormat: .int16, compression: .rice),
    ]

    @Test(
        "an image reads back the same: pixels, mask, variance, bands, unit, header and WCS", arguments: options.indices)
    func roundTrip(_ index: Int) throws {
        let options = Self.options[index]
        let image = try Self.sample()
        try withTemporaryFolder { folder in
            let path = folder + "/image.fits"
            try FITSImageWriter.write(image, to: path, options: options)
            let back = try ImageReader.read(path)
            #expect(back.bands == image.bands && back.width == image.width && back.height == image.height)
            #expect(back.unit == "nanomaggy" && back.header.text("OBJECT") == "it's a test")
            #expect(back.header.number("EXPTIME") == 123.5)
            #expect(back.mask == image.mask)
            #expect(back.variance == image.variance)
            let isExact = options.pixelFormat == .float32 && [.none, .gzip].contains(options.compression)
            for (a, b) in zip(image.pixels, back.pixels) {
                if isExact {
                    #expect(a == b || (a.isNaN && b.isNaN))
                } else {
                    #expect(abs(a - b) < 0.02 || (a.isNaN && b.isNaN))
                }
            }
            let (own, read) = (try #require(image.wcs), try #require(back.wcs))
            for (x, y) in [(0.0, 0.0), (36, 22), (18.3, 4.9)] {
                let expected = try #require(own.pixelToSky(x: x, y: y))
                let position = try #require(read.skyToPixel(ra: expected.ra, dec: expected.dec))
                #expect(abs(position.x - x) < 1e-6 && abs(position.y - y) < 1e-6)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["image.fits"])
        }
    }

    @Test(
        "fitsverify finds nothing to complain about",
        .enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/fitsverify")), arguments: options.indices)
    func verified(_ index: Int) throws {
        try withTemporaryFolder { folder in
            let path = folder + "/image.fits"
            try FITSImageWriter.write(try Self.sample(), to: path, options: Self.options[index])
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/fitsverify")
            process.arguments = ["-q", path]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0 && text.contains("verification OK"), "\(text)")
        }
    }

    @Test("a folder that does not exist is an error that names the file, and leaves nothing behind")
    func impossiblePath() throws {
        let image = try Self.sample()
        #expect { try FITSImageWriter.write(image, to: "/no/such/folder/a.fits") } throws: { error in
            (error as? ImageError)?.kind == .output && "\(error)".contains("/no/such/folder/a.fits")
        }
    }

    @Test("crops keep positions on the sky, through a file too")
    func crops() throws {
        let image = try Self.sample()
        let crop = image.cropped(x: 7, y: 5, width: 20, height: 12)
        try withTemporaryFolder { folder in
            try FITSImageWriter.write(crop, to: folder + "/crop.fits")
            let back = try ImageReader.read(folder + "/crop.fits")
            let expected = try #require(image.wcs?.pixelToSky(x: 7 + 3.5, y: 5 + 2.25))
            let position = try #require(back.wcs?.skyToPixel(ra: expected.ra, dec: expected.dec))
            #expect(abs(position.x - 3.5) < 1e-6 && abs(position.y - 2.25) < 1e-6)
            #expect(back[band: "r"]!.first == image[band: "r"]![image[band: "r"]!.startIndex + 5 * 37 + 7])
        }
    }
}
