import AstroIO
import Foundation

/// Tables that tests write and read back.
enum CatalogSamples {
    static let awkwardTexts: [String?] = [
        "plain", nil, "with blank", "comma,inside", "a \"quoted\" word", "two\nlines", "tab\there", "it's", "# hash",
        "galaxie à é ″ µ", "日本 🌌", "<b>&amp;</b>", "back\\slash \\u00e9", " leading", "trailing ", "semi;colon|bar",
        "NaN", "null", "-", "T", "0012", "'", "\"", "{a: b}", "]]>", "C:\\users\\data", "\u{1}control",
    ]

    /// Every column type, with missing values, extremes and awkward text.
    static func everything() throws -> Catalog {
        let texts = awkwardTexts
        let rows = texts.count
        func cycle<Value>(_ values: [Value]) -> [Value] { (0..<rows).map { values[$0 % values.count] } }
        let ids: [String?] = (0..<rows).map { "obj-\($0)" }
        let ra: [Double] = cycle([0.1, 359.999_999_999_999_9, .nan, 1e-300])
        let dec: [Double] = cycle([-90, .infinity, -.infinity, .nan, .leastNonzeroMagnitude])
        let flux: [Float] = cycle([0.1, .nan, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, .infinity])
        let vector: [Float] = (0..<rows * 3).map { index -> Float in index % 7 == 0 ? .nan : Float(index) / 3 }
        let pair: [Double] = (0..<rows * 2).map { index -> Double in index % 5 == 0 ? -.infinity : Double(index) / 7 }
        let note = "Awkward: µ, \"quotes\", 'single', {brace}: colon # hash"
        let columns: [Column] = [
            Column("id_str", .string(ids), ucd: "meta.id;meta.main"),
            Column("text", .string(texts), description: note),
            Column("nothing", .string(cycle([nil]))),
            Column("truth", .bool(cycle([true, false, nil])), description: "Yes or no"),
            Column("byte", .uint8(cycle([0, 254, nil, 17])), format: .integer(3)),
            Column("short", .int16(cycle([.max, .min + 1, nil, 0])), ucd: "meta.number"),
            Column("int", .int32(cycle([.max, .min + 1, nil, -7])), unit: "adu"),
            Column("long", .int64(cycle([.max, .min + 1, nil, 9_007_199_254_740_993]))),
            Column("full", .int64(cycle([.max, .min, 0, 1]))),
            Column(
                "ra", .double(ra), unit: "deg", ucd: "pos.eq.ra;meta.main", description: "Right ascension, ICRS",
                format: .fixed(6)),
            Column("dec", .double(dec), unit: "deg"),
            Column("flux", .float(flux), unit: "nJy", ucd: "phot.flux", format: .exponential(4)),
            Column("vector", .floatVector(vector, width: 3)),
            Column("pair", .doubleVector(pair, width: 2)),
        ]
        return try Catalog(
            name: "EVERYTHING", columns: columns,
            metadata: [
                CatalogMetadata("SURVEY", "it's a \"test\" & more"),
                CatalogMetadata("a_long_keyword", String(repeating: "0123456789", count: 20)),
                CatalogMetadata("SEED", 42, comment: "of the sampler"),
                CatalogMetadata("SCALE", 0.262),
                CatalogMetadata("a_long_number", -1e-30),
                CatalogMetadata("VERSION", "1.0"),
            ])
    }

    /// A path in a fresh folder that the caller removes with `defer`.
    static func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("catalog-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Runs the body with a path for the name in a fresh folder, which must afterwards hold that file alone.
    static func withPath<Result>(_ name: String, _ body: (String) throws -> Result) throws -> Result {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder.appendingPathComponent(name).path)
    }
}
