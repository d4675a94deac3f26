import AstroIO
import Foundation
import Testing

@Suite("FITS tables in blocks")
struct FITSTableStreamingTests {
    private func block(_ rows: Range<Int>, width: Int) throws -> Catalog {
        let ids: [String?] = rows.map { "object-" + String(repeating: "x", count: $0 / 10) + "\($0)" }
        let vectors: [Float] = rows.flatMap { row in (0..<width).map { Float(row) + Float($0) / 1000 } }
        let flags: [Int32?] = rows.map { $0 % 3 == 0 ? nil : Int32($0) }
        return try Catalog(columns: [
            Column("id_str", .string(ids)), Column("embedding", .floatVector(vectors, width: width)),
            Column("flags", .int32(flags)),
        ])
    }

    private func schema(_ width: Int) -> [ColumnDescription] {
        [
            ColumnDescription("id_str", .string(maxBytes: 4), ucd: "meta.id;meta.main"),
            ColumnDescription("embedding", .floatVector(width: width), description: "Class token"),
            ColumnDescription("flags", .int32),
        ]
    }

    @Test("blocks of any size make one table, and longer texts widen their column", arguments: [1, 7, 64, 300])
    func append(size: Int) throws {
        try CatalogSamples.withPath("embeddings.fits") { path in
            var appender = try FITSTableAppender(path, name: "EMBEDDINGS", columns: schema(5))
            for start in stride(from: 0, to: 300, by: size) {
                try appender.append(try block(start..<min(start + size, 300), width: 5))
                #expect(!FileManager.default.fileExists(atPath: path), "no file under its name before it is finished")
            }
            try appender.finish()
            let read = try Catalog.read(path)
            #expect(read.name == "EMBEDDINGS")
            #expect(read.columns.map(\.values) == (try block(0..<300, width: 5)).columns.map(\.values))
            #expect(read["embedding"]?.description == "Class token")
        }
    }

    @Test("row ranges and chosen columns")
    func ranges() throws {
        try CatalogSamples.withPath("embeddings.fits") { path in
            var appender = try FITSTableAppender(path, columns: schema(700))
            try appender.append(try block(0..<1000, width: 700))
            try appender.finish()
            let whole = try block(0..<1000, width: 700)
            var reader = try FITSTableReader(path)
            #expect(reader.rowCount == 1000)
            #expect(reader.columns.map(\.name) == ["id_str", "embedding", "flags"])
            let part = try reader.read(rows: 17..<423, columns: ["flags", "ID_STR"])
            #expect(part.columns.map(\.name) == ["flags", "id_str"])
            #expect(part["flags"]?.values == whole.rows(17..<423)["flags"]?.values)
            let floats = try reader.floats("embedding", rows: 990..<1000)
            #expect(.floatVector(floats, width: 700) == whole.rows(990..<1000)["embedding"]?.values)
            var rows = 0
            while let next = try reader.next(rows: 300, columns: ["id_str"]) {
                #expect(next.columns[0].values == whole.rows(rows..<rows + next.rowCount).columns[0].values)
                rows += next.rowCount
            }
            #expect(rows == 1000)
            #expect(try reader.read(rows: 5..<5).rowCount == 0)
            let beyond = #expect(throws: CatalogError.self) { _ = try FITSTableStreamingTests.read(path, 990..<1001) }
            #expect(beyond?.path == path)
        }
    }

    private static func read(_ path: String, _ rows: Range<Int>) throws -> Catalog {
        var reader = try FITSTableReader(path)
        return try reader.read(rows: rows)
    }

    @Test("an appender that is dropped leaves nothing")
    func dropped() throws {
        try CatalogSamples.withPath("embeddings.fits") { path in
            func start() throws {
                var appender = try FITSTableAppender(path, columns: schema(3))
                try appender.append(try block(0..<10, width: 3))
            }
            try start()
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        }
    }

    @Test("errors name the file, the row and the column")
    func errors() throws {
        try CatalogSamples.withPath("t.fits") { path in
            var appender = try FITSTableAppender(path, columns: [ColumnDescription("n", .int16)])
            try appender.append(try Catalog(columns: [Column("n", .int16([1, 2, 3]))]))
            do {
                try appender.append(try Catalog(columns: [Column("n", .int16([4, .min]))]))
                Issue.record("the value reserved for missing ones was written")
            } catch let error as CatalogError {
                #expect(error.path == path && error.row == 4 && error.column == "n")
            }
            do {
                try appender.append(try Catalog(columns: [Column("n", .int32([4]))]))
                Issue.record("a column of another type was written")
            } catch let error as CatalogError {
                #expect(error.column == "n")
            }
        }
        #expect(throws: CatalogError.self) {
            try FITSTableStreamingTests.create(metadata: [CatalogMetadata("NAXIS2", "7")])
        }
        #expect(throws: CatalogError.self) {
            try FITSTableStreamingTests.create(metadata: [CatalogMetadata("a=b", "7")])
        }
    }

    private static func create(metadata: [CatalogMetadata]) throws {
        try CatalogSamples.withPath("t.fits") { path in
            let appender = try FITSTableAppender(
                path, columns: [ColumnDescription("n", .int16)], metadata: metadata)
            try appender.finish()
        }
    }

    @Test("a table is turned from FITS into ECSV block by block")
    func convert() throws {
        try CatalogSamples.withPath("t.fits") { path in
            let catalog = try CatalogSamples.everything()
            try catalog.write(to: path)
            var reader = try FITSTableReader(path)
            let target = path + ".ecsv"
            var writer = try TextTableWriter(
                target, format: .ecsv, name: reader.name, columns: reader.columns, metadata: reader.metadata)
            while let block = try reader.next(rows: 5) { try writer.append(block) }
            try writer.finish()
            #expect(try Catalog.read(target).columns.map(\.values) == catalog.columns.map(\.values))
        }
    }
}
