import AstroIO
import Foundation
import TestSupport
import Testing

@Suite("Real images load", .enabled(if: DevelopmentImages.areInstalled))
struct DevelopmentImageTests {
    @Test("every FITS file loads, or holds tables only")
    func fits() throws {
        let files = DevelopmentImages.files(
            below: "", endings: [".fits", ".fit", ".fits.gz", ".fits.bz2", ".fits.fz", ".fz"]
        )
        .filter { !$0.contains("fits_conformance") && !$0.contains("profound_9band") }
        #expect(files.count > 200)
        for file in files {
            do {
                let image = try ImageReader.read(file)
                #expect(image.width > 0 && image.height > 0 && !image.bands.isEmpty)
            } catch {
                #expect(error.kind == .content && error.reason.contains("table"), "\(error)")
            }
        }
    }

    @Test("a sample of the JPEG and PNG stamps of every set loads")
    func pictures() throws {
        for set in ["efigi", "galaxyzoo1", "galaxyzoo2", "euclid_q1", "sdss_pool", "goods_hst", "gz2_stripe82_votes"] {
            let files = DevelopmentImages.files(below: set, endings: [".jpg", ".jpeg", ".png"])
            #expect(!files.isEmpty, "\(set)")
            for file in stride(from: 0, to: files.count, by: 29).map({ files[$0] }) {
                let image = try ImageReader.read(file)
                #expect(image.sampleMaximum == 255 && image.rowOrder == .topDown)
                #expect([1, 3].contains(image.bands.count) && image.pixels.contains { $0 > 0 })
            }
        }
    }

    @Test("bands of one file are joined by their names, with their own weights")
    func bandsOfOneFile() throws {
        let image = try ImageReader.read(DevelopmentImages.path("pysersic_legacy/cutout_59.1067_-30.4848.fits.gz"))
        #expect(image.bands == ["g", "r", "z"])
        #expect(image.variance?.count == image.pixels.count)
        let alone = try ImageReader.read(
            DevelopmentImages.path("pysersic_legacy/cutout_59.1067_-30.4848.fits.gz"),
            options: ImageReadOptions(hdu: "3"))
        #expect(alone.bands == ["r"] && Array(image[band: "r"]!) == alone.pixels)
    }

    @Test("files of one object are joined by band; another size is a mismatch that names the file")
    func severalFiles() throws {
        let files = ["g", "r", "z"].map { DevelopmentImages.path("deepdisc_decam/img_\($0).fits") }
        let image = try ImageReader.read(zip(["z", "r", "g"], files.reversed()).map { .init(band: $0, path: $1) })
        #expect(image.bands == ["z", "r", "g"])
        #expect(Array(image[band: "g"]!) == (try ImageReader.read(files[0]).pixels))
        let other = DevelopmentImages.path("sdss_ngc6976/reprojected_sdss_i.fits.bz2")
        #expect(throws: ImageError.self) {
            try ImageReader.read([.init(band: "g", path: files[0]), .init(band: "i", path: other)])
        }
    }

    @Test("a DECam exposure has its data quality and weights joined")
    func decam() throws {
        let images = DevelopmentImages.files(below: "decam_testcase3", endings: [".fits"]).filter {
            $0.contains("_ooi_")
        }
        #expect(!images.isEmpty)
        for path in images {
            let image = try ImageReader.read([
                .init(
                    path: path, weight: path.replacing("_ooi_", with: "_oow_"),
                    mask: path.replacing("_ooi_", with: "_ood_"))
            ])
            #expect(image.variance?.count == image.pixels.count)
            #expect(image.wcs?.projection == "TPV")
            #expect(abs((image.wcs?.pixelScaleArcsec ?? 0) - 0.262) < 0.003)
        }
    }
}
