import AstroIO
import Foundation
import Testing

@Suite("Quality flags")
struct QualityFlagsTests {
    @Test("values are distinct powers of two in order, names are unique")
    func registry() {
        let values = QualityFlags.registry.map(\.value)
        #expect(values == (0..<values.count).map { 1 << Int32($0) })
        #expect(Set(QualityFlags.registry.map(\.name)).count == values.count)
        for flag in QualityFlags.registry {
            #expect(flag.name.allSatisfy { ($0.isLowercase && $0.isASCII) || $0 == "_" })
            #expect(flag.description.hasSuffix("."))
        }
    }

    @Test("photutils' bits keep their names and values")
    func photutils() {
        let expected = [
            "masked_pixels": 1, "non_finite_data": 2, "non_finite_error": 4, "all_masked": 8, "edge_touch": 16,
        ]
        for (name, value) in expected { #expect(QualityFlags(names: [name])?.rawValue == Int32(value)) }
    }

    @Test("decoding and encoding are inverse, unknown bits included")
    func inverse() {
        for value in [0, 1, 17, 1 << 30, -1, Int32.min, 0x2aaa_aaaa] as [Int32] {
            let flags = QualityFlags(rawValue: value)
            #expect(QualityFlags(names: flags.names) == flags)
        }
        #expect(QualityFlags(names: ["edge_touch", "no_such_flag"]) == nil)
        #expect(QualityFlags(names: ["bit_32"]) == nil)
        #expect(QualityFlags([.edgeTouch, .paddedStamp]).description == "edge_touch,padded_stamp")
        #expect(QualityFlags.decode(3).map(\.name) == ["masked_pixels", "non_finite_data"])
    }

    @Test("docs/flags.md contains the registry")
    func documentation() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("docs/flags.md"), encoding: .utf8)
        #expect(
            text.contains("\n\n" + QualityFlags.markdownTable + "\n"), Comment(rawValue: QualityFlags.markdownTable))
    }
}
