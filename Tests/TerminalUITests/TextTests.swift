import TerminalUI
import Testing

@Suite struct TextTests {
    @Test(
        "Columns of text",
        arguments: [("abc", 3), ("é", 1), ("e\u{301}", 1), ("漢字", 4), ("😀", 2), ("M31 ☉", 5), ("", 0)])
    func width(text: String, columns: Int) {
        #expect(TextWidth.of(text) == columns)
    }

    @Test func textIsCutAtWholeCharacters() {
        #expect(TextWidth.fit("abcdef", 6) == "abcdef")
        #expect(TextWidth.fit("abcdef", 5) == "abcd…")
        #expect(TextWidth.fit("漢字漢字", 6) == "漢字…")
        #expect(TextWidth.wrap("the disk is full today", 9) == ["the disk", "is full", "today"])
        #expect(TextWidth.wrap("abcdefghij", 4) == ["abcd", "efgh", "ij"])
    }

    @Test("A name from a stranger's file cannot steer the terminal")
    func harmless() {
        var grid = TextGrid(columns: 20, rows: 1)
        grid.put("a\u{1B}[2Jb\u{9B}c\u{202E}d", row: 0, column: 0)
        #expect(grid.lines == ["a?[2Jb?c?d"])
    }

    @Test func onlyWhatChangedIsWritten() {
        var writer = FrameWriter()
        var grid = TextGrid(columns: 10, rows: 2)
        grid.put("hello", row: 0, column: 0)
        let first = writer.encode(grid)
        #expect(first.hasPrefix(FrameWriter.start) && first.hasSuffix(FrameWriter.end) && first.contains("hello"))
        #expect(writer.encode(grid).isEmpty)
        grid.put("p", row: 0, column: 3)
        #expect(writer.encode(grid) == FrameWriter.start + "\u{1B}[1;4H\u{1B}[0mp\u{1B}[0m" + FrameWriter.end)
        #expect(writer.encode(TextGrid(columns: 12, rows: 2)).contains("\u{1B}[2J"), "another size is drawn whole")
    }

    @Test func lineEditing() {
        var line = LineEditor()
        for key in "ab".map(Key.character) + [.left, .character("漢"), .end, .backspace, .paste("x\ny")] {
            line.handle(key)
        }
        #expect(line.string == "a漢x y")
        line.handle(.control("w"))
        #expect(line.string == "a漢x ")
        line.handle(.control("u"))
        #expect(line.string.isEmpty && line.cursor == 0)
        for character: Character in ["e", "\u{301}"] { line.handle(.character(character)) }
        #expect(line.string == "é" && line.cursor == 1)
    }

    @Test("Positions as astropy prints them: SkyCoord(150.1163213, -2.2058).to_string('hmsdms')")
    func sky() {
        #expect(SkyText.hours(150.1163213) == "10:00:27.92")
        #expect(SkyText.degrees(-2.2058) == "-02:12:20.9")
        #expect(SkyText.hours(359.99999999) == "00:00:00.00", "rounding up carries over the day")
        #expect(SkyText.degrees(-0.0001) == "-00:00:00.4")
        #expect(SkyText.hours(-15) == "23:00:00.00")
    }
}
