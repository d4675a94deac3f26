import AstroIO
import Foundation
import Testing

/// Programs of others that say whether our files are valid; each test is skipped where its program is missing.
private enum Judge {
    static func path(_ program: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// A Python with astropy: `LENTICULAR_PYTHON`, else python3.
    static let python: String? = {
        let candidates = [ProcessInfo.processInfo.environment["LENTICULAR_PYTHON"], path("python3")].compactMap { $0 }
        return candidates.first { (try? run($0, ["-c", "import astropy"]))?.status == 0 }
    }()

    static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}

@Suite("Judges of catalogs")
struct CatalogJudgeTests {
    @Test("fitsverify finds nothing wrong", .enabled(if: Judge.path("fitsverify") != nil), arguments: [0, 1, 27])
    func fitsverify(rows: Int) throws {
        try CatalogSamples.withPath("t.fits") { path in
            try CatalogSamples.everything().rows(0..<rows).write(to: path)
            let (_, report) = try Judge.run(try #require(Judge.path("fitsverify")), [path])
            #expect(report.contains("0 warning(s) and 0 error(s)"), Comment(rawValue: report))
        }
    }

    @Test("fitsverify finds nothing wrong in a table that grew", .enabled(if: Judge.path("fitsverify") != nil))
    func grown() throws {
        try CatalogSamples.withPath("t.fits") { path in
            var appender = try FITSTableAppender(
                path, name: "GROWN",
                columns: [
                    ColumnDescription("id", .string(maxBytes: 1)), ColumnDescription("v", .floatVector(width: 9)),
                ])
            for length in [1, 30, 3, 90] {
                let ids: [String?] = Array(repeating: String(repeating: "x", count: length), count: 50)
                let vectors = [Float](repeating: Float(length), count: 450)
                try appender.append(
                    try Catalog(columns: [Column("id", .string(ids)), Column("v", .floatVector(vectors, width: 9))]))
            }
            try appender.finish()
            let (_, report) = try Judge.run(try #require(Judge.path("fitsverify")), [path])
            #expect(report.contains("0 warning(s) and 0 error(s)"), Comment(rawValue: report))
        }
    }

    @Test("votlint finds nothing wrong", .enabled(if: Judge.path("stilts") != nil), arguments: [0, 27])
    func votlint(rows: Int) throws {
        try CatalogSamples.withPath("t.vot") { path in
            try CatalogSamples.everything().rows(0..<rows).write(to: path)
            let (status, report) = try Judge.run(try #require(Judge.path("stilts")), ["votlint", path])
            #expect(status == 0)
            #expect(report.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty, Comment(rawValue: report))
        }
    }

    @Test("astropy reads the same values, units and masks from every format", .enabled(if: Judge.python != nil))
    func astropy() throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
                "scripts/judges/catalogs.py")
        try CatalogSamples.withPath("t.fits") { path in
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
            for name in ["t.fits", "t.ecsv", "t.vot", "t.csv"] {
                try CatalogSamples.everything().write(to: folder.appendingPathComponent(name).path)
            }
            let (status, report) = try Judge.run(try #require(Judge.python), [script.path, folder.path])
            #expect(status == 0, Comment(rawValue: report))
        }
    }
}
