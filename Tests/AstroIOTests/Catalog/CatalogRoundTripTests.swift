import AstroIO
import Foundation
import Testing

@Suite("A catalog comes back from its file as it was")
struct CatalogRoundTripTests {
    private func roundTrip(_ catalog: Catalog, _ name: String) throws -> Catalog {
        try CatalogSamples.withPath(name) { path in
            try catalog.write(to: path)
            return try Catalog.read(path)
        }
    }

    /// XML cannot hold control characters, which come back as U+FFFD.
    private func withoutControl(_ catalog: Catalog) throws -> Catalog {
        try Catalog(
            name: catalog.name,
            columns: catalog.columns.map { column in
                guard case .string(let cells) = column.values else { return column }
                return Column(
                    column.schema, .string(cells.map { $0?.replacingOccurrences(of: "\u{1}", with: "\u{fffd}") }))
            }, metadata: catalog.metadata)
    }

    @Test("every type, missing values, awkward text", arguments: ["t.fits", "t.ecsv", "t.vot"])
    func everything(name: String) throws {
        let catalog = try CatalogSamples.everything()
        let expected = name == "t.vot" ? try withoutControl(catalog) : catalog
        let read = try roundTrip(catalog, name)
        #expect(read.name == catalog.name)
        #expect(read.columns.map(\.name) == catalog.columns.map(\.name))
        for (column, original) in zip(read.columns, expected.columns) {
            #expect(column.values == original.values, "\(column.name)")
            #expect(column.unit == original.unit)
            #expect(column.ucd == original.ucd)
            #expect(column.description == original.description)
            if name != "t.vot" {
                #expect(column.format?.style == original.format?.style)
                #expect(column.format?.digits == original.format?.digits)
            }
        }
        // FITS keywords are upper case.
        let keys = catalog.metadata.map { name == "t.fits" ? $0.key.uppercased() : $0.key }
        #expect(read.metadata.map(\.key) == keys)
        if name == "t.fits" {
            #expect(read.metadata.map { $0.value.lowercased() } == catalog.metadata.map { $0.value.lowercased() })
            #expect(read.metadata.map(\.comment) == catalog.metadata.map(\.comment))
        } else {
            #expect(read.metadata.map(\.value) == catalog.metadata.map(\.value))
        }
        if name != "t.vot" { #expect(read.metadata.map(\.isNumber) == catalog.metadata.map(\.isNumber)) }
    }

    @Test("CSV keeps values; integers and floats become 64 bits wide")
    func csv() throws {
        let catalog = try CatalogSamples.everything()
        let read = try roundTrip(catalog, "t.csv")
        #expect(read.columns.map(\.name) == catalog.columns.map(\.name))
        for (column, original) in zip(read.columns, catalog.columns) {
            switch original.values {
            case .string, .bool, .int64, .double, .doubleVector: #expect(column.values == original.values)
            case .uint8, .int16, .int32: #expect(column.integers == original.integers)
            case .float(let cells):
                #expect(column.doubles.map { $0.map { Float($0).bitPattern } } == cells.map(\.bitPattern))
            case .floatVector(let cells, let width):
                guard case .doubleVector(let values, width) = column.values else {
                    Issue.record("\(column.name) is \(column.values.type)")
                    continue
                }
                #expect(values.map { Float($0).bitPattern } == cells.map(\.bitPattern))
            }
        }
    }

    @Test("tables of one row and of none", arguments: ["t.fits", "t.ecsv", "t.vot", "t.csv"], [0, 1])
    func short(name: String, rows: Int) throws {
        let catalog = try CatalogSamples.everything().rows(0..<rows)
        let read = try roundTrip(catalog, name)
        #expect(read.rowCount == rows)
        #expect(read.columns.map(\.name) == catalog.columns.map(\.name))
        if name != "t.csv" { #expect(read.columns.map(\.values) == catalog.columns.map(\.values)) }
    }

    @Test("a table of one text column", arguments: ["t.fits", "t.ecsv", "t.vot", "t.csv"])
    func oneColumn(name: String) throws {
        let catalog = try Catalog(columns: [Column("id", .string(["a", nil, "c"]))])
        #expect(try roundTrip(catalog, name).columns == catalog.columns)
    }

    @Test("nothing but the finished file is left in the folder", arguments: ["t.fits", "t.ecsv", "t.vot", "t.csv"])
    func leavesNothing(name: String) throws {
        try CatalogSamples.withPath(name) { path in
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            try CatalogSamples.everything().write(to: path)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [name])
            // Writing again replaces it.
            try CatalogSamples.everything().rows(0..<2).write(to: path)
            #expect(try Catalog.read(path).rowCount == 2)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [name])
        }
    }

    @Test("a folder that does not exist is an error that names the file", arguments: ["t.fits", "t.ecsv", "t.vot"])
    func noFolder(name: String) throws {
        let catalog = try Catalog(columns: [Column("id", .string(["a"]))])
        let path = "/no/such/folder/\(name)"
        let error = #expect(throws: CatalogError.self) { try catalog.write(to: path) }
        #expect(error?.path == path)
        let missing = #expect(throws: CatalogError.self) { _ = try Catalog.read(path) }
        #expect(missing?.kind == .file)
    }

    @Test("columns of unequal length or with one name are refused")
    func badTables() {
        #expect(throws: CatalogError.self) {
            try Catalog(columns: [Column("a", .int64([1])), Column("b", .int64([1, 2]))])
        }
        #expect(throws: CatalogError.self) {
            try Catalog(columns: [Column("a", .int64([1])), Column("A", .int64([1]))])
        }
        #expect(throws: CatalogError.self) { try Catalog(columns: [Column("", .int64([1]))]) }
        #expect(throws: CatalogError.self) { try Catalog(columns: [Column("v", .floatVector([1, 2, 3], width: 2))]) }
        #expect(throws: CatalogError.self) { try Catalog(columns: [Column("v", .floatVector([], width: 0))]) }
    }
}
