import AstroIO
import Foundation
import Testing

/// Files written by astropy (scripts/fixtures/catalogs.py, which states the formulas repeated here).
enum CatalogFixtures {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/catalogs")

    static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    static let samples = [
        "sample.fits", "sample.ecsv", "sample_comma.ecsv", "sample_tabledata.vot", "sample_binary.vot",
        "sample_binary2.vot",
    ]
}

@Suite("Catalogs that astropy wrote")
struct CatalogFixtureTests {
    @Test("one table in every form", arguments: CatalogFixtures.samples + ["sample.csv"])
    func sample(name: String) throws {
        let catalog = try Catalog.read(CatalogFixtures.path(name))
        let isCSV = name == "sample.csv"
        #expect(catalog.rowCount == 5)
        #expect(catalog["object_id"]?.values == .string(["obj-0", "obj-1", "obj-2", "obj-3", "obj-4"]))
        #expect(catalog["ra"]?.values == .double([10.5, 10.625, 10.75, 10.875, 11]))
        #expect(catalog["dec"]?.values == .double([-45, -44.75, -44.5, -44.25, -44]))
        let magnitudes: [Double] = [20, 19.5, .nan, 18.5, 18]
        #expect(catalog["magnitude"]?.values == (isCSV ? .double(magnitudes) : .float(magnitudes.map(Float.init))))
        #expect(catalog["count"]?.integers == [0, 1000, nil, 3000, 4000])
        #expect(catalog["big"]?.values == .int64((0..<5).map { (1 << 62) + Int64($0) }))
        #expect(catalog["good"]?.values == .bool([true, false, true, false, true]))
        #expect(catalog["note"]?.values == .string(["plain", "with blank", nil, "a \"quote\", comma", "two\nlines"]))
        if !isCSV {
            let embedding: [Float] = (0..<20).map { Float($0 / 4) + Float($0 % 4) / 4 }
            #expect(catalog["embedding"]?.values == .floatVector(embedding, width: 4))
            #expect(catalog["ra"]?.unit == "deg")
            #expect(catalog["magnitude"]?.unit == "mag")
        }
        if name.hasSuffix("ecsv") {
            #expect(catalog.name == "sample")
            #expect(catalog["ra"]?.ucd == "pos.eq.ra;meta.main")
            #expect(catalog["ra"]?.description == "Right ascension")
            #expect(catalog["ra"]?.format == .fixed(4))
            #expect(catalog.metadata == [CatalogMetadata("SURVEY", "made up"), CatalogMetadata("SEED", 42)])
        }
        #expect(catalog.idColumn?.name == "object_id")
        #expect(catalog.skippedColumns.isEmpty)
    }

    @Test("FITS columns of every kind, after SExtractor's header table")
    func variants() throws {
        let catalog = try Catalog.read(CatalogFixtures.path("variants.fits"))
        #expect(catalog.name == "LDAC_OBJECTS")
        #expect(catalog["unsigned16"]?.values == .int32([0, 40000, 65535]))
        #expect(catalog["unsigned32"]?.values == .int64([0, 3_000_000_000, 4_294_967_295]))
        #expect(catalog["unsigned64"]?.values == .int64([0, 5, .max]))
        #expect(catalog["signed8"]?.values == .int16([-128, 0, 127]))
        #expect(catalog["nulls"]?.values == .int32([1, nil, 3]))
        #expect(catalog["shorts"]?.values == .doubleVector([1, 2, 3, 4, 5, 6], width: 2))
        #expect(catalog["id"]?.values == .string(["a", "bb", "ccc"]))
        #expect(catalog.skippedColumns.map(\.name) == ["bits", "complex", "ragged", "texts"])
        #expect(try Catalog.read(CatalogFixtures.path("variants.fits"), hdu: "LDAC_IMHEAD").rowCount == 1)
        #expect(try Catalog.read(CatalogFixtures.path("variants.fits"), hdu: 2).rowCount == 3)
        #expect(throws: CatalogError.self) { try Catalog.read(CatalogFixtures.path("variants.fits"), hdu: "NONE") }
        #expect(throws: CatalogError.self) { try Catalog.read(CatalogFixtures.path("variants.fits"), hdu: 9) }
    }

    @Test("scaled integers become doubles")
    func scaled() throws {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: CatalogFixtures.path("variants.fits")))
        let old = Data("TNULL5  =                  -99".utf8)
        let place = try #require(bytes.range(of: old))
        var changed = bytes
        changed.replaceSubrange(place, with: Data("TSCAL5  =                  0.5".utf8))
        try CatalogSamples.withPath("scaled.fits") { path in
            try changed.write(to: URL(fileURLWithPath: path))
            #expect(try Catalog.read(path)["nulls"]?.values == .double([0.5, -49.5, 1.5]))
        }
    }

    @Test("the name does not decide the format, the content does")
    func content() throws {
        try CatalogSamples.withPath("table.csv") { path in
            try FileManager.default.copyItem(atPath: CatalogFixtures.path("sample.ecsv"), toPath: path)
            #expect(try Catalog.read(path)["ra"]?.unit == "deg")
        }
    }
}
