import AstroIO
import Foundation
import Testing

@Suite struct MeasureTests {
    private func write(_ side: Int, to path: String, _ light: (Int, Int) -> Float) throws {
        let pixels = (0..<side * side).map { light($0 % side, $0 / side) }
        var image = Image(bands: ["r"], width: side, height: side, pixels: pixels, unit: "nanomaggy")
        image.header.set(.init("PSF_FWHM", value: "3.0"))
        image.header.set(.init("BUNIT", value: "nanomaggy", isText: true))
        try FITSImageWriter.write(image, to: path)
    }

    private func galaxy(_ x: Int, _ y: Int) -> Float {
        let (dx, dy) = (Double(x) - 40, Double(y) - 40)
        let noise = sin(12.9898 * Double(x) + 78.233 * Double(y)) * 43758.5453
        return Float(4 * exp(-hypot(dx, dy / 0.6) / 5) + 0.05 * (noise - noise.rounded(.down) - 0.5))
    }

    @Test func goodImagesAreMeasuredAndBadOnesAreRowsOfTheFailures() throws {
        try Tool.withTemporaryFolder { folder in
            try write(81, to: folder + "/good.fits", galaxy)
            try write(9, to: folder + "/tiny.fits") { _, _ in 1 }
            try write(64, to: folder + "/blank.fits") { _, _ in .nan }
            try write(64, to: folder + "/constant.fits") { _, _ in 3 }
            try write(81, to: folder + "/empty.fits") { x, y in galaxy(x + 500, y) }
            try write(60, to: folder + "/cut.fits") { x, y in galaxy(x + 15, y + 12) }
            try Data("SIMPLE  =".utf8).write(to: URL(fileURLWithPath: folder + "/broken.fits"))
            let run = try Tool.run("measure", folder, "-o", folder + "/out", "--set", "classical", "--quiet")
            #expect(run.status == 3)
            let catalog = try Catalog.read(folder + "/out/catalog.fits")
            #expect(catalog.identifiers?.compactMap { $0 } == ["cut", "good"])
            let flags = try #require(catalog["measure_flags"]?.integers)
            #expect(flags[0]! & 32 == 32 && flags[1]! & 32 == 0)
            let ellipticity = try #require(catalog["ellipticity_asymmetry"]?.doubles)
            #expect(abs(ellipticity[1] - 0.4) < 0.05)
            #expect(try #require(catalog["sersic_n"]?.doubles)[1] > 0.5)
            let failures = try Catalog.read(folder + "/out/failures.ecsv")
            #expect(
                Set(failures.identifiers?.compactMap { $0 } ?? []) == ["blank", "broken", "constant", "empty", "tiny"])
            #expect(FileManager.default.fileExists(atPath: folder + "/out/diagrams.png"))
        }
    }

    @Test func trainedNetworkMeasuresImages() throws {
        try Tool.withTemporaryFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "/in", withIntermediateDirectories: true)
            try write(81, to: folder + "/in/one.fits", galaxy)
            let training = try Tool.run(
                "train", "parameters", "-o", folder + "/model", "--scenes", "8", "--held-out", "120", "--steps", "2",
                "--batch", "4", "--quiet")
            #expect(training.status == 0, "\(training.errors)")
            let model = folder + "/model/parameters.safetensors"
            let run = try Tool.run(
                "measure", folder + "/in", "-o", folder + "/out", "--model", model, "--set", "network", "--quiet")
            #expect(run.status == 0, "\(run.errors)")
            let catalog = try Catalog.read(folder + "/out/catalog.ecsv")
            for name in [
                "mag_r", "half_light_radius_pix", "sersic_index", "axis_ratio", "position_angle", "bulge_fraction",
            ] {
                #expect(try #require(catalog[name]?.doubles)[0].isFinite)
                #expect(try #require(catalog[name + "_err"]?.doubles)[0] > 0)
            }
            // No WCS: no arcseconds.
            #expect(try #require(catalog["half_light_radius"]?.doubles)[0].isNaN)
            #expect(catalog["gini"] == nil)
            let other = try Tool.run(
                "measure", folder + "/in", "-o", folder + "/out2", "--model", folder + "/in/one.fits", "--quiet")
            #expect(other.status != 0 && other.errors.contains("one.fits"))
        }
    }
}
