import TerminalUI
import Testing

@Suite struct InputParserTests {
    static let cases: [(String, [Key])] = [
        ("a1?", [.character("a"), .character("1"), .character("?")]),
        ("é漢😀", [.character("é"), .character("漢"), .character("😀")]),
        ("\r\u{7F}\t\u{03}", [.enter, .backspace, .tab, .control("c")]),
        ("\u{1B}[A\u{1B}[B\u{1B}[C\u{1B}[D", [.up, .down, .right, .left]),
        ("\u{1B}OA\u{1B}OD", [.up, .left]),
        ("\u{1B}[1;5C\u{1B}[3~\u{1B}[5~\u{1B}[H", [.right, .delete, .pageUp, .home]),
        ("\u{1B}x", [.alt("x")]),
        ("\u{1B}[200~two\nlines\u{1B}[201~q", [.paste("two\nlines"), .character("q")]),
        ("\u{1B}[?62;4;22c", [.attributes([62, 4, 22])]),
        // Answers that nobody asked for: a Kitty reply, an OSC colour, a mode report, an unknown function key.
        (
            "\u{1B}_Gi=1;OK\u{1B}\\a\u{1B}]11;rgb:0/0/0\u{07}b\u{1B}[?2026;2$yc\u{1B}[15~d",
            "abcd".map { .character($0) }
        ),
    ]

    @Test("Keys are found in any pieces of the input", arguments: cases)
    func keys(input: String, expected: [Key]) {
        var parser = InputParser()
        #expect(parser.feed(input.utf8) == expected)
        #expect(!parser.isPending)
        var bytewise = InputParser()
        #expect(input.utf8.flatMap { bytewise.feed([$0]) } == expected)
    }

    @Test func aLoneEscapeIsAKeyOnceNothingFollows() {
        var parser = InputParser()
        #expect(parser.feed([0x1B]).isEmpty)
        #expect(parser.isPending)
        #expect(parser.flush() == [.escape])
        #expect(parser.flush().isEmpty)
        #expect(parser.feed("\u{1B}\u{1B}[A".utf8) == [.escape, .up])
    }

    @Test func bytesThatAreNoUTF8AreDropped() {
        var parser = InputParser()
        #expect(parser.feed([0xFF, 0xC3, 0x61, 0x80, 0xED, 0xA0, 0x80, 0x62]) == [.character("a"), .character("b")])
    }

    @Test func noiseNeverStopsTheParser() {
        var state: UInt64 = 7
        var parser = InputParser()
        for _ in 0..<200_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            _ = parser.feed([UInt8(truncatingIfNeeded: state >> 33)])
        }
        // Ends whatever string or paste the noise began.
        _ = parser.feed("\u{1B}[201~\u{1B}\\\u{07}".utf8)
        _ = parser.flush()
        #expect(parser.feed("q".utf8) == [.character("q")])
    }
}
