import AstroIO
import Foundation
import Testing

/// The tests run one at a time: each starts the program with a worker a core.
@Suite("The program", .serialized)
struct RunTests {
    @Test("help names every command, and an unknown command is a usage error")
    func help() throws {
        let help = try Tool.run("--help")
        #expect(help.status == 0)
        for command in [
            "run", "embed", "info", "view", "flags", "config", "simulate", "pretrain", "bench", "classify", "detect",
            "measure", "restore", "train",
        ] {
            #expect(help.output.contains("  \(command) "), "\(command)")
            let own = try Tool.run(command, "--help")
            #expect(own.status == 0)
            #expect(own.output.contains("OVERVIEW:") && own.output.contains("USAGE:"), "\(command)")
        }
        #expect(try Tool.run("classfy").status == 64)
        #expect(try Tool.run("--version").output.hasPrefix("0."))
    }

    @Test("flags are decoded to their names")
    func flags() throws {
        let decoded = try Tool.run("flags", "9")
        #expect(decoded.output.contains("masked_pixels") && decoded.output.contains("all_masked"))
        #expect(try Tool.run("flags", "masked_pixels", "all_masked").output == "9\n")
        #expect(try Tool.run("flags", "nosuch").status == 64)
        #expect(try Tool.run("flags").output.split(separator: "\n").count == QualityFlags.registry.count)
    }

    @Test("the printed configuration is a run file")
    func config() throws {
        try Tool.withTemporaryFolder { folder in
            let config = try Tool.run("config")
            #expect(config.status == 0 && config.output.contains("neighbours: 10"))
            try config.output.write(toFile: folder + "/mine.yaml", atomically: true, encoding: .utf8)
            let again = try Tool.run("config", folder + "/mine.yaml")
            #expect(again.output == config.output)
        }
    }

    @Test(
        "one run writes classes, measurements, numbers of sources and restored images into one catalog; what a stage cannot do is a row"
    )
    func everything() throws {
        try Tool.withTemporaryFolder { folder in
            let fields = ["--set", "load.limit=6", "--set", "score.neighbours=3"]
            let process = Tool.start(
                ["run", "everything", "--input", "data/sample", "--output", folder + "/run", "--quiet"] + fields)
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            let catalog = try Catalog.read(folder + "/run/catalog.fits")
            #expect(catalog.rowCount == 6)
            let classes = try #require(catalog["class"]?.strings)
            #expect(classes.allSatisfy { $0 != nil })
            #expect(try #require(catalog["class_probability"]?.doubles).allSatisfy { (0.2...1).contains($0) })
            #expect(try #require(catalog["gini"]?.doubles).allSatisfy { (0.2...1).contains($0) })
            let counts = try #require(catalog["n_sources"]?.integers)
            let places = try #require(catalog["sources_loc"]?.strings)
            for (count, place) in zip(counts, places) {
                let sources = try Catalog.read(folder + "/run/" + #require(place))
                #expect(try Int64(sources.rowCount) == #require(count) && sources["MAG_AUTO"] != nil)
            }
            let restored = try #require(catalog["restored_loc"]?.strings)
            for (place, ratio) in zip(restored, try #require(catalog["restored_flux_ratio"]?.doubles)) {
                let image = try ImageReader.read(folder + "/run/" + #require(place))
                #expect(image.width == 96 && image.variance != nil && image.wcs != nil)
                // Missing where nothing is bright enough for an aperture.
                #expect(ratio.isNaN || abs(ratio - 1) < 0.1)
            }
            #expect(
                try String(contentsOfFile: folder + "/run/provenance.json", encoding: .utf8).contains("other_models"))

            // A flat image has no galaxy to measure: the others are unaffected.
            try FileManager.default.createDirectory(atPath: folder + "/in", withIntermediateDirectories: true)
            let flat = Image(bands: ["r"], width: 64, height: 64, pixels: [Float](repeating: 1, count: 4096))
            try FITSImageWriter.write(flat, to: folder + "/in/flat.fits")
            let partial = try Tool.run("run", "measure", "--input", folder + "/in", "--output", folder + "/partial")
            #expect(partial.status == 3)
            #expect(try Catalog.read(folder + "/partial/catalog.fits").rowCount == 1)
            #expect(try Catalog.read(folder + "/partial/failures.ecsv")["stage"]?.strings == ["measure"])
        }
    }

    @Test("the quick start makes a catalog, embeddings, pictures and a provenance record from the shipped sample")
    func quickstart() throws {
        try Tool.withTemporaryFolder { folder in
            let run = try Tool.run("run", "quickstart", "--input", "data/sample", "--output", folder + "/run")
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.output.contains("contact_sheet.png"))
            let catalog = try Catalog.read(folder + "/run/catalog.fits")
            let text = try Catalog.read(folder + "/run/catalog.ecsv")
            #expect(catalog.rowCount >= 100 && text.rowCount == catalog.rowCount)
            let scores = try #require(catalog["outlier_score"]?.doubles)
            let ranks = try #require(catalog["outlier_rank"]?.integers).map { Int($0 ?? 0) }
            #expect(scores.allSatisfy { $0 > 0 && $0.isFinite })
            #expect(ranks.sorted() == Array(1...catalog.rowCount))
            let byRank = zip(ranks, scores).sorted { $0.0 < $1.0 }.map(\.1)
            #expect(byRank == scores.sorted(by: >))
            #expect(try #require(catalog.positions).ra.allSatisfy { (0..<360).contains($0) })
            let embeddings = try Catalog.read(folder + "/run/embeddings.fits")
            #expect(embeddings["id_str"]?.strings == catalog["id_str"]?.strings)
            #expect(try Catalog.read(folder + "/run/failures.ecsv").rowCount == 0)
            for name in ["contact_sheet.png", "scores.png"] {
                let picture = try ImageReader.read(folder + "/run/" + name)
                #expect(picture.width > 300 && picture.height > 200)
            }
            let provenance = try String(contentsOfFile: folder + "/run/provenance.json", encoding: .utf8)
            for key in ["version", "configuration_sha256", "list_sha256", "seed", "seconds", "sha256"] {
                #expect(provenance.contains("\"\(key)\""), "\(key)")
            }
            #expect(!FileManager.default.fileExists(atPath: folder + "/run/work"))

            // The same inputs and settings give the same table, byte for byte.
            let again = try Tool.run(
                "run", "quickstart", "--input", "data/sample", "--output", folder + "/again", "--quiet", "--set",
                "embed.workers=1", "--set", "load.readers=1")
            #expect(again.status == 0 && again.output.isEmpty)
            #expect(
                try Data(contentsOf: URL(fileURLWithPath: folder + "/again/catalog.ecsv"))
                    == Data(contentsOf: URL(fileURLWithPath: folder + "/run/catalog.ecsv")))
        }
    }

    @Test("a bad file becomes a row in the failures table and exit status 3; the others are not lost")
    func failures() throws {
        try Tool.withTemporaryFolder { folder in
            let input = folder + "/in"
            try FileManager.default.createDirectory(atPath: input, withIntermediateDirectories: true)
            let sample = try FileManager.default.contentsOfDirectory(atPath: Tool.packageRoot + "/data/sample")
                .filter { $0.hasSuffix(".fits") || $0.hasSuffix(".fz") }.sorted().prefix(12)
            for name in sample {
                try FileManager.default.copyItem(
                    atPath: Tool.packageRoot + "/data/sample/" + name, toPath: input + "/" + name)
            }
            try Data().write(to: URL(fileURLWithPath: input + "/empty.fits"))
            try Data("no image at all".utf8).write(to: URL(fileURLWithPath: input + "/text.png"))
            let whole = try Data(contentsOf: URL(fileURLWithPath: input + "/" + sample[0]))
            try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: input + "/cut.fits"))
            let run = try Tool.run("run", "quickstart", "--input", input, "--output", folder + "/run")
            #expect(run.status == 3, "\(run.errors)")
            let failures = try Catalog.read(folder + "/run/failures.ecsv")
            let files = try #require(failures["file_loc"]?.strings).compactMap(\.self)
            #expect(Set(files).isSuperset(of: ["empty.fits", "text.png", "cut.fits"]))
            #expect(try #require(failures["reason"]?.strings).allSatisfy { $0?.isEmpty == false })
            #expect(try Catalog.read(folder + "/run/catalog.fits").rowCount >= 12 - 1)
        }
    }

    @Test("a run that was killed continues where it was and gives the same catalog")
    func resume() throws {
        try Tool.withTemporaryFolder { folder in
            let arguments = [
                "run", "quickstart", "--input", "data/sample", "--quiet", "--set", "embed.batch=4", "--output",
            ]
            let whole = Tool.start(arguments + [folder + "/whole"])
            try whole.run()
            whole.waitUntilExit()
            #expect(whole.terminationStatus == 0)

            let killed = Tool.start(arguments + [folder + "/killed"])
            try killed.run()
            let journal = folder + "/killed/work/objects.jsonl"
            while killed.isRunning, (try? Data(contentsOf: URL(fileURLWithPath: journal)).count) ?? 0 < 1000 {
                usleep(500)
            }
            kill(killed.processIdentifier, SIGKILL)
            killed.waitUntilExit()
            try #require(killed.terminationReason == .uncaughtSignal)

            let refused = Tool.start(arguments + [folder + "/killed"])
            refused.standardError = FileHandle.nullDevice
            try refused.run()
            refused.waitUntilExit()
            #expect(refused.terminationStatus == 1)

            let resumed = Tool.start(arguments + [folder + "/killed", "--resume"])
            try resumed.run()
            resumed.waitUntilExit()
            #expect(resumed.terminationStatus == 0)
            #expect(
                try Data(contentsOf: URL(fileURLWithPath: folder + "/killed/catalog.ecsv"))
                    == Data(contentsOf: URL(fileURLWithPath: folder + "/whole/catalog.ecsv")))
        }
    }

    @Test(
        "a mistake on the command line is one sentence and status 1",
        arguments: [
            (["run", "quickstart", "--input", "/does/not/exist", "--output", "OUT"], "/does/not/exist"),
            (["run", "quikstart", "--input", "data/sample", "--output", "OUT"], "quikstart"),
            (["run", "quickstart", "--input", "data/sample", "--output", "OUT", "--set", "embed.bach=3"], "batch"),
            (
                ["run", "quickstart", "--input", "data/sample", "--output", "OUT", "--set", "embed.model=nosuch"],
                "nosuch"
            ),
            (["info", "README.md"], "README.md"),
            (["view", "data/sample", "-o", "OUT.png"], "data/sample"),
        ])
    func mistakes(arguments: [String], word: String) throws {
        try Tool.withTemporaryFolder { folder in
            let process = Tool.start(arguments.map { $0.replacingOccurrences(of: "OUT", with: folder + "/out") })
            let errors = Pipe()
            process.standardError = errors
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 1, "\(text)")
            #expect(text.contains(word) && text.hasPrefix("Error: "), "\(text)")
            #expect(text.split(separator: "\n").count <= 3, "\(text)")
        }
    }
}
