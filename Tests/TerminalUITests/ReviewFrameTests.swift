import TerminalUI
import Testing

@Suite struct ReviewFrameTests {
    private static let capabilities = TerminalCapabilities(graphics: .blocks, colours: .trueColour, unicode: true)

    private static func painted(_ request: PictureRequest) -> LoadedPicture {
        let columns = min(request.columns, 2 * request.rows)
        let cells = [Cell](repeating: Cell("▀"), count: columns * (columns / 2))
        return .painted(
            .cells(cells, columns: columns, rows: columns / 2), bands: ["g", "r", "z"], width: 64, height: 64)
    }

    private static func frame(
        _ screen: ReviewScreen, _ columns: Int, _ rows: Int, unicode: Bool = true,
        pictures: @escaping (PictureRequest) -> LoadedPicture? = painted
    ) -> ReviewFrame {
        var capabilities = Self.capabilities
        capabilities.unicode = unicode
        return ReviewFrame(
            screen, size: TerminalSize(columns: columns, rows: rows), capabilities: capabilities, time: 60,
            pictures: pictures)
    }

    @Test("Everything that is needed is on the screen", arguments: [(80, 24), (120, 40), (60, 20), (50, 16)])
    func sizes(columns: Int, rows: Int) {
        var screen = ReviewScreen(
            queue: MemoryQueue(ReviewItem.numbered(30)), task: "morphology", labeller: "edwin", time: 0)
        for _ in 0..<4 { _ = screen.handle(.character("2"), at: 20) }
        let lines = Self.frame(screen, columns, rows).grid.lines
        #expect(lines.count == rows)
        let text = lines.joined(separator: "\n")
        for part in [
            "lenticular review · morphology", "? help  q quit", "object-5", "10:00:27.92 -02:12:20.9",
            "smooth-or-featured?",
            "1 smooth", "25%", "2 featured", "70%", "3 artifact", "4 of 30 done · 4 saved · 4/min",
            "▀▀▀▀▀▀▀▀▀▀", "colour of g,r,z · ima",
        ] {
            #expect(text.contains(part), "\(part) is missing at \(columns)×\(rows):\n\(text)")
        }
        if columns >= 80 { #expect(text.contains("model agrees 4/4 (100%)")) }
    }

    @Test func aSmallWindowSaysSo() {
        let screen = ReviewScreen(queue: MemoryQueue(ReviewItem.numbered(1)), task: "t", labeller: "e", time: 0)
        let lines = Self.frame(screen, 30, 8).grid.lines
        #expect(lines[0] == "window too small" && lines[1] == "30×8, needs 50×16")
        _ = Self.frame(screen, 1, 1)
    }

    @Test func whatIsNotThereYetIsAskedForInOrder() {
        var screen = ReviewScreen(queue: MemoryQueue(ReviewItem.numbered(30)), task: "t", labeller: "e", time: 0)
        for _ in 0..<5 { _ = screen.handle(.right, at: 1) }
        let frame = Self.frame(screen, 80, 24) { _ in nil }
        #expect(!frame.isComplete)
        #expect(frame.requests.map { $0.files[0] } == [6, 7, 8, 5, 9, 10, 4].map { "\($0).fits" })
        #expect(frame.grid.lines.contains { $0.contains("reading …") })
        let failed = Self.frame(screen, 80, 24) { _ in .failed("6.fits: the file ends early") }
        #expect(failed.isComplete && failed.grid.lines.contains { $0.contains("6.fits: the file ends early") })
    }

    @Test func messagesCommentsAndHelp() {
        let queue = MemoryQueue(ReviewItem.numbered(3))
        var screen = ReviewScreen(queue: queue, task: "t", labeller: "e", time: 0)
        queue.fail(true)
        _ = screen.handle(.character("2"), at: 1)
        #expect(
            Self.frame(screen, 60, 20).grid.lines[18].contains("NOT SAVED")
                || Self.frame(screen, 60, 20).grid.lines[17].contains("NOT SAVED"))
        queue.fail(false)
        for key in [Key.character("c")] + "a tidal tail 漢".map(Key.character) { _ = screen.handle(key, at: 1) }
        #expect(Self.frame(screen, 80, 24).grid.lines[22] == " comment: a tidal tail 漢")
        _ = screen.handle(.enter, at: 1)
        #expect(queue.comments == ["object-1": "a tidal tail 漢"])
        #expect(Self.frame(screen, 80, 24).grid.lines.contains { $0.contains("“a tidal tail 漢”") })
        _ = screen.handle(.character("?"), at: 1)
        #expect(Self.frame(screen, 60, 20).grid.lines.contains { $0.contains("undo the latest decision") })
    }

    @Test func neighboursStandBelowTheImage() {
        var screen = ReviewScreen(queue: MemoryQueue(ReviewItem.numbered(3)), task: "t", labeller: "e", time: 0)
        _ = screen.handle(.character("n"), at: 1)
        #expect(Self.frame(screen, 80, 24).grid.lines.contains { $0.contains("looking for neighbours") })
        screen.neighbours = (1...5).map { ReviewNeighbour(id: "near-\($0)", files: ["n\($0).fits"], distance: 1) }
        for (columns, shown) in [(80, 4), (120, 5)] {
            let frame = Self.frame(screen, columns, 40)
            #expect(frame.grid.lines.contains { $0.contains("near-1") && $0.contains("near-\(shown)") })
            #expect(frame.requests[1...shown].map { $0.files[0] } == (1...shown).map { "n\($0).fits" })
        }
    }

    @Test func withoutUTF8AllIsASCII() {
        let screen = ReviewScreen(queue: MemoryQueue(ReviewItem.numbered(3)), task: "t", labeller: "e", time: 0)
        #expect(Self.frame(screen, 80, 24, unicode: false).grid.lines.allSatisfy { $0.allSatisfy(\.isASCII) })
    }

    @Test func anEmptyQueueSaysSo() {
        let screen = ReviewScreen(queue: MemoryQueue([]), task: "t", labeller: "e", time: 0)
        #expect(Self.frame(screen, 80, 24).grid.lines.contains { $0.contains("Nothing is in the queue") })
    }
}
