import AstroIO
import Foundation
import Testing

@Suite struct OutliersTests {
    private static let sample = Tool.packageRoot + "/data/sample"

    /// Images of the sample, and some that are no use.
    private static func folder(_ folder: String, count: Int) throws -> String {
        let images = folder + "/images"
        try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
        for number in 1...count {
            let digits = String(number)
            let name = "sim-" + String(repeating: "0", count: 5 - digits.count) + digits + ".fits.fz"
            try FileManager.default.copyItem(atPath: sample + "/" + name, toPath: images + "/" + name)
        }
        func write(_ name: String, _ pixels: [Float]) throws {
            let image = Image(bands: ["r"], width: 32, height: 32, pixels: pixels, unit: "nanomaggy")
            try FITSImageWriter.write(image, to: images + "/" + name)
        }
        try write("blank.fits", [Float](repeating: 5, count: 1024))
        try write("empty.fits", [Float](repeating: .nan, count: 1024))
        try write("holes.fits", (0..<1024).map { $0 % 3 == 0 ? Float($0) : .nan })
        try "no image".write(toFile: images + "/broken.fits", atomically: true, encoding: .utf8)
        return images
    }

    @Test(
        "A folder becomes a ranked catalog, a contact sheet and a method that scores other images; defects are not ranked"
    )
    func endToEnd() throws {
        try Tool.withTemporaryFolder { folder in
            let images = try Self.folder(folder, count: 40)
            let archive = folder + "/archive"
            let run = try Tool.run(
                "outliers", images, "--method", "attcae", "--epochs", "1", "--k", "3", "--explain", "1", "-o", archive)
            #expect(run.status == 3, "\(run.errors)")
            let catalog = try Catalog.read(archive + "/catalog.fits")
            let ids = try #require(catalog.identifiers).compactMap { $0 }
            let ranks = try #require(catalog["outlier_rank"]?.doubles)
            let flags = try #require(catalog["flags"]?.doubles)
            #expect(catalog.rowCount == 42)
            for name in ["blank", "holes"] {
                let row = try #require(ids.firstIndex(of: name))
                #expect(ranks[row] == 0)
                #expect(QualityFlags(rawValue: Int32(flags[row])).contains(.notScored))
            }
            #expect(ranks.filter { $0 > 0 }.sorted() == (1...40).map(Double.init))
            let failures = try Catalog.read(archive + "/failures.ecsv")
            #expect(Set(failures["id_str"]?.strings?.compactMap { $0 } ?? []) == ["broken", "empty"])
            for name in ["contact_sheet.png", "scores.png", "catalog.ecsv", "explained/001.png", "provenance.json"] {
                #expect(FileManager.default.fileExists(atPath: archive + "/" + name), "\(name)")
            }
            #expect(!FileManager.default.fileExists(atPath: archive + "/work"))

            // The same images against the archive: the same scores.
            let night = folder + "/night"
            let second = try Tool.run(
                "outliers", images, "--fitted", archive + "/fitted.safetensors", "-o", night, "--quiet")
            #expect(second.status == 3)
            let scores = try #require(catalog["outlier_score"]?.doubles)
            let again = try #require(try Catalog.read(night + "/catalog.fits")["outlier_score"]?.doubles)
            for (a, b) in zip(scores, again) { #expect(a.isNaN && b.isNaN || abs(a - b) < 1e-4 * a) }

            let similar = try Tool.run("similar", "sim-00003", "--in", archive, "--count", "4", "-o", folder + "/like")
            #expect(similar.status == 0)
            let found = try Catalog.read(folder + "/like/similar.ecsv")
            let row = try #require(ids.firstIndex(of: "sim-00003"))
            #expect(found.rowCount == 4)
            #expect(found["id_str"]?.strings?.first == catalog["nearest_id"]?.strings?[row])
            let unknown = try Tool.run("similar", "nothing", "--in", archive, "-o", folder + "/none")
            #expect(unknown.status != 0 && unknown.errors.contains("nothing"))
        }
    }

    @Test("A list and a run folder are inputs too; the run's embeddings are used as they are")
    func inputs() throws {
        try Tool.withTemporaryFolder { folder in
            let images = try Self.folder(folder, count: 12)
            let list = folder + "/list.csv"
            try
                "id_str,file_loc\na,images/sim-00001.fits.fz\nb,images/sim-00002.fits.fz\nc,images/gone.fits\nd,images/sim-00004.fits.fz\n"
                .write(toFile: list, atomically: true, encoding: .utf8)
            let run = try Tool.run("outliers", list, "--method", "knn", "--k", "1", "-o", folder + "/out")
            #expect(run.status == 3, "\(run.errors)")
            #expect(try Catalog.read(folder + "/out/catalog.fits").identifiers == ["a", "b", "d"])
            #expect(try Catalog.read(folder + "/out/failures.ecsv")["id_str"]?.strings == ["c"])

            let made = try Tool.run("run", "quickstart", "--input", images, "--output", folder + "/run", "--quiet")
            #expect(made.status == 3, "\(made.errors)")
            let scored = try Tool.run(
                "outliers", folder + "/run", "--method", "backbone", "--k", "5", "-o", folder + "/scored", "--quiet")
            #expect(scored.status == 0, "\(scored.errors)")
            #expect(try Catalog.read(folder + "/scored/catalog.fits")["outlier_rank"]?.doubles?.max() == 12)
            let like = try Tool.run(
                "similar", images + "/sim-00005.fits.fz", "--in", folder + "/run", "--count", "2", "-o",
                folder + "/like")
            #expect(like.status == 0, "\(like.errors)")
            #expect(try Catalog.read(folder + "/like/similar.ecsv")["id_str"]?.strings?.first == "sim-00005")
        }
    }

    @Test("Wrong arguments, absent files and finished folders are named")
    func wrongArguments() throws {
        try Tool.withTemporaryFolder { folder in
            for arguments in [["--views", "3"], ["--k", "0"], ["--crop", "much"], ["--method", "magic"]] {
                let run = try Tool.run("outliers", Self.sample, arguments[0], arguments[1], "-o", folder + "/a")
                #expect(run.status != 0 && run.errors.contains(arguments[0].dropFirst(2)), "\(arguments)")
            }
            let absent = try Tool.run("outliers", folder + "/absent", "-o", folder + "/b")
            #expect(absent.status != 0 && absent.errors.contains("absent"))
            try FileManager.default.createDirectory(atPath: folder + "/c", withIntermediateDirectories: true)
            try "x".write(toFile: folder + "/c/catalog.fits", atomically: true, encoding: .utf8)
            let full = try Tool.run("outliers", Self.sample, "-o", folder + "/c")
            #expect(full.status != 0 && full.errors.contains("--overwrite"))
        }
    }
}
