import AstroIO
import Foundation
import Testing

/// A generator with a seed, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

@Suite("Damaged catalogs are an error or a table, never a crash")
struct CatalogFuzzTests {
    /// Damaged files of each kind; the environment may ask for more.
    private static let cases =
        ProcessInfo.processInfo.environment["LENTICULAR_FUZZ_CASES"].flatMap { Int($0) } ?? 1500

    /// One damaged copy: cut, bits flipped, bytes overwritten, a piece doubled, or a number made huge.
    private func mutate(_ original: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard !bytes.isEmpty else { break }
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0: bytes.removeLast(bytes.count - place)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 3:
                let end = min(bytes.count, place + Int.random(in: 1...64, using: &random))
                bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
            case 4:
                let end = min(bytes.count, place + Int.random(in: 1...64, using: &random))
                bytes.removeSubrange(place..<end)
            case 5:
                // Damage where it hurts: a digit of a count, width or size.
                if let digit = bytes[place...].firstIndex(where: { (0x30...0x39).contains($0) }) {
                    bytes.replaceSubrange(digit...digit, with: Array("99999999".utf8))
                }
            default:
                let marks = Array("\"'<>&[]{},;:#\n\r\0 -!*%@`|\\".utf8)
                bytes[place] = marks[Int.random(in: 0..<marks.count, using: &random)]
            }
        }
        return bytes
    }

    /// As above, but a FITS file keeps its length, and half of the damage falls on the table's header.
    private func mutateFITS(_ original: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        guard Bool.random(using: &random) else { return mutate(original, &random) }
        var bytes = original
        let headers = 0..<min(bytes.count, 4 * 2880)
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            let card = Int.random(in: headers.lowerBound / 80..<headers.upperBound / 80, using: &random) * 80
            let place = card + Int.random(in: 0..<31, using: &random)
            if Bool.random(using: &random),
                let digit = bytes[place..<card + 80].firstIndex(where: { (0x30...0x39).contains($0) })
            {
                bytes[digit] = UInt8(ascii: "0") + UInt8.random(in: 0...9, using: &random)
                if Bool.random(using: &random) { bytes[digit - 1] = UInt8(ascii: "9") }
            } else {
                bytes[place] = UInt8.random(in: 0x20...0x7e, using: &random)
            }
        }
        return bytes
    }

    @Test(
        "thousands of damaged files of each format",
        arguments: CatalogFixtures.samples + ["sample.csv", "variants.fits"])
    func damaged(name: String) throws {
        let original = [UInt8](try Data(contentsOf: URL(fileURLWithPath: CatalogFixtures.path(name))))
        var random = SeededGenerator(seed: 2026)
        var tables = 0
        try CatalogSamples.withPath(name) { path in
            for number in 0..<CatalogFuzzTests.cases {
                let bytes = name.hasSuffix("fits") ? mutateFITS(original, &random) : mutate(original, &random)
                try Data(bytes).write(to: URL(fileURLWithPath: path))
                do {
                    let catalog = try Catalog.read(path)
                    #expect(catalog.columns.allSatisfy { $0.count == catalog.rowCount }, "case \(number)")
                    tables += 1
                } catch let error as CatalogError {
                    #expect(error.path == path && !error.reason.isEmpty, "case \(number): \(error)")
                }
            }
        }
        #expect(tables > 0, "some damage is harmless")
        #expect(tables < CatalogFuzzTests.cases, "some damage is noticed")
    }

    @Test(
        "every truncation is an error or a shorter table",
        arguments: ["sample.fits", "sample.ecsv", "sample_binary2.vot"])
    func truncated(name: String) throws {
        let original = try Data(contentsOf: URL(fileURLWithPath: CatalogFixtures.path(name)))
        try CatalogSamples.withPath(name) { path in
            for length in stride(from: 0, to: original.count, by: name.hasSuffix("fits") ? 37 : 1) {
                try original.prefix(length).write(to: URL(fileURLWithPath: path))
                do {
                    let catalog = try Catalog.read(path)
                    // FITS pads its last block: the table may be whole without it.
                    #expect(!name.hasSuffix("vot") || length > original.count - 40)
                    #expect(catalog.rowCount <= 5)
                } catch let error as CatalogError {
                    #expect(error.path == path)
                }
            }
        }
    }

    private func error(_ name: String, _ bytes: [UInt8]) throws -> CatalogError? {
        try CatalogSamples.withPath(name) { path in
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            do {
                _ = try Catalog.read(path)
                return nil
            } catch let error as CatalogError {
                return error
            }
        }
    }

    @Test("claims of more rows than there are bytes are refused before anything is reserved")
    func hugeClaim() throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: CatalogFixtures.path("sample.fits"))))
        for (card, value) in [
            ("NAXIS2", "9000000000000000"), ("NAXIS2", "-1"), ("NAXIS1", "9000000000000000"), ("TFIELDS", "999"),
        ] {
            var changed = bytes
            let start = try #require(Data(bytes).range(of: Data("XTENSION".utf8))?.lowerBound)
            let found = try #require(Data(bytes).range(of: Data((card + " ").utf8), in: start..<bytes.count))
            let text = String(repeating: " ", count: 20 - value.count) + value
            changed.replaceSubrange(found.lowerBound + 10..<found.lowerBound + 30, with: Array(text.utf8))
            #expect(try error("t.fits", changed) != nil, "\(card) = \(value)")
        }
    }

    @Test("an XML document that declares entities is refused")
    func entities() throws {
        var laughs = "<?xml version=\"1.0\"?>\n<!DOCTYPE VOTABLE [\n<!ENTITY a0 \"ha\">\n"
        for level in 1...20 {
            laughs += "<!ENTITY a\(level) \"" + String(repeating: "&a\(level - 1);", count: 10) + "\">\n"
        }
        laughs += "]>\n<VOTABLE><DESCRIPTION>&a20;</DESCRIPTION></VOTABLE>"
        #expect(try error("t.vot", Array(laughs.utf8))?.reason.contains("entity") == true)
        let external = "<!DOCTYPE VOTABLE [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><VOTABLE>&x;</VOTABLE>"
        #expect(try error("t.vot", Array(external.utf8))?.reason.contains("entity") == true)
        let deep = String(repeating: "<VOTABLE>", count: 100_000)
        #expect(try error("t.vot", Array(deep.utf8))?.reason.contains("nested") == true)
    }

    @Test("a YAML header that nests or refers without end is refused")
    func yaml() throws {
        let body = "# schema: astropy-2.0\na\n1\n"
        let nested = "# %ECSV 1.0\n# ---\n# datatype: " + String(repeating: "[", count: 100_000) + "\n" + body
        #expect(try error("t.ecsv", Array(nested.utf8)) != nil)
        var laughs = "# %ECSV 1.0\n# ---\n# a0: &a0 [x]\n"
        for level in 1...40 {
            laughs +=
                "# a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
                + "]\n"
        }
        laughs += "# datatype: *a40\n" + body
        #expect(try error("t.ecsv", Array(laughs.utf8)) != nil)
    }

    @Test("other files, empty files and folders are errors that say so")
    func others() throws {
        #expect(try error("t.fits", [])?.reason == "the file is empty")
        #expect(try error("t.csv", [0x89, 0x50, 0x4e, 0x47, 0, 1, 2])?.reason.contains("no FITS") == true)
        #expect(try error("t.vot", Array("<html></html>".utf8))?.reason.contains("no VOTABLE") == true)
        #expect(try error("t.csv", Array("a,b\n1\n".utf8))?.row == 0)
        #expect(try error("t.csv", Array("a,b\n1,\"2\n".utf8))?.reason.contains("quote") == true)
        #expect(try error("t.csv", Array("a,A\n1,2\n".utf8))?.column == "A")
        #expect(throws: CatalogError.self) { try Catalog.read(FileManager.default.temporaryDirectory.path) }
        #expect(throws: CatalogError.self) { try Catalog.read("/no/such/file.fits") }
    }
}
