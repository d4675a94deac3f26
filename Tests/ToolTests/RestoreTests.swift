import AstroIO
import Foundation
import Testing

@Suite struct RestoreTests {
    @Test("restore writes planes, picture and tables; a file that cannot be used is a row and exit status 3")
    func restoresWhatItCan() throws {
        try Tool.withTemporaryFolder { folder in
            let training = try Tool.run(
                "train", "restoration", "--samples", "3", "--validation", "1", "--steps", "2", "--batch", "2", "--side",
                "32", "--widths", "4,4,4", "--blocks", "1", "--workers", "1", "--quiet", "-o", folder + "/run")
            #expect(training.status == 0, "\(training.errors)")
            let pixels = (0..<40 * 30).map { 5 + Float(sin(Double($0) * 12.9898)) }
            let image = Image(bands: ["r"], width: 40, height: 30, pixels: pixels, unit: "nanomaggy")
            try FITSImageWriter.write(image, to: folder + "/good.fits")
            try FITSImageWriter.write(image.cropped(x: 0, y: 0, width: 8, height: 8), to: folder + "/small.fits")
            let run = try Tool.run(
                "restore", folder + "/good.fits", folder + "/small.fits", "-o", folder + "/out", "--model",
                folder + "/run/model.safetensors", "--super-resolution", "--fill")
            #expect(run.status == 3, "\(run.errors)")
            let restored = try ImageReader.read(folder + "/out/good_restored.fits")
            #expect(restored.width == 80 && restored.height == 60 && restored.unit == "nanomaggy")
            #expect(restored.header.text("EXTNAME") == "RESTORED")
            #expect(restored.variance?.allSatisfy { $0 > 0 } == true, "UNCERTAINTY is read as standard deviation")
            #expect(try ImageReader.read(folder + "/out/good_restored.png").width == 4 * 164)
            #expect(try Catalog.read(folder + "/out/restoration.ecsv").rowCount == 1)
            let failures = try Catalog.read(folder + "/out/failures.ecsv")
            #expect(failures["id_str"]?.strings == ["small"])
            #expect(failures["reason"]?.strings?[0]?.contains("16 × 16") == true)

            let wrong = try Tool.run("restore", folder + "/good.fits", "-o", folder + "/out", "--psf-fwhm", "3px")
            #expect(wrong.status == 64 && wrong.errors.contains("--deconvolve"))
        }
    }
}
