import AstroIO
import Foundation
import Testing

@Suite struct DetectTests {
    /// Three Gaussians on noise.
    private static func image(band: String) -> Image {
        var state: UInt64 = 1
        let pixels = (0..<(96 * 80)).map { i -> Float in
            state = (state &* 1_103_515_245 &+ 12345) % 2_147_483_648
            var value = Float(state) / 2_147_483_648
            for (x, y) in [(20.0, 20.0), (60, 30), (40, 60)] {
                value += 40 * Float(exp(-0.25 * (pow(Double(i % 96) - x, 2) + pow(Double(i / 96) - y, 2))))
            }
            return value
        }
        return Image(bands: [band], width: 96, height: 80, pixels: pixels, unit: "nanomaggy")
    }

    @Test("detect writes catalogs, segmentation and picture; a bad file is a row of the failures and status 3")
    func detects() throws {
        try Tool.withTemporaryFolder { folder in
            try FITSImageWriter.write(Self.image(band: "r"), to: folder + "/good.fits")
            try "no image".write(toFile: folder + "/bad.fits", atomically: true, encoding: .utf8)
            let output = folder + "/out"
            let run = try Tool.run(
                "detect", folder + "/good.fits", folder + "/bad.fits", "--method", "sep", "-o", output)
            #expect(run.status == 3)
            let catalog = try Catalog.read(output + "/good_sources.fits")
            #expect(catalog.rowCount == 3)
            let x = try #require(catalog["X_IMAGE"]?.doubles)
            for (found, truth) in zip(x.sorted(), [21.0, 41, 61]) { #expect(abs(found - truth) < 0.2) }
            #expect(try Catalog.read(output + "/good_sources.ecsv").rowCount == 3)
            #expect(try ImageReader.read(output + "/good_segmentation.fits").pixels.max() == 3)
            #expect(try ImageReader.read(output + "/good_overlay.png").width == 96 * 7)
            let failures = try Catalog.read(output + "/failures.ecsv")
            #expect(failures.rowCount == 1 && failures["id_str"]?.strings == ["bad"])
        }
    }

    @Test("Wrong bands, models and thresholds are named")
    func wrongArguments() throws {
        try Tool.withTemporaryFolder { folder in
            let path = folder + "/good.fits"
            try FITSImageWriter.write(Self.image(band: "r"), to: path)
            let bands = try Tool.run("detect", path, "--method", "sep", "--bands", "q", "-o", folder + "/a")
            #expect(bands.status == 3)
            let reason = try Catalog.read(folder + "/a/failures.ecsv")["reason"]?.strings?.first ?? ""
            #expect(reason?.contains("no band 'q'") == true)
            let model = try Tool.run("detect", path, "--model", path, "-o", folder + "/b")
            #expect(model.status != 0 && model.errors.contains("good.fits"))
            let threshold = try Tool.run("detect", path, "--method", "network", "--threshold", "7", "-o", folder + "/c")
            #expect(threshold.status != 0 && threshold.errors.contains("--threshold"))
        }
    }
}
