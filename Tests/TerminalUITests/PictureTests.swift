import AstroIO
import Dispatch
import Foundation
import ImageProcessing
import Synchronization
import TerminalUI
import Testing

@Suite struct PictureTests {
    /// Left half black, right half one colour.
    static let halves = RGBImage(
        width: 32, height: 32,
        samples: (0..<(32 * 32)).flatMap { $0 % 32 < 16 ? [0, 0, 0] : [250, 120, 30] as [UInt8] })

    @Test func blocksShowTheColoursOfThePicture() throws {
        let painter = PicturePainter(graphics: .blocks, colours: .trueColour, cell: nil)
        guard case .cells(let cells, let columns, let rows)? = painter.paint(Self.halves, columns: 40, rows: 8) else {
            Issue.record("no cells")
            return
        }
        #expect(columns == 16 && rows == 8, "a square picture is twice as many columns as rows")
        func mean(_ cell: Cell) -> CellColour { cell.text == " " ? cell.style.background : cell.style.foreground }
        #expect(mean(cells[3 * 16 + 2]) == .rgb(0, 0, 0))
        #expect(mean(cells[3 * 16 + 13]) == .rgb(250, 120, 30))
    }

    @Test func lettersNeedNoColour() throws {
        let painter = PicturePainter(graphics: .ascii, colours: .none, cell: nil)
        guard case .cells(let cells, let columns, _)? = painter.paint(Self.halves, columns: 20, rows: 8) else {
            Issue.record("no cells")
            return
        }
        #expect(cells.allSatisfy { $0.style == .plain && $0.text?.isASCII ?? false })
        #expect(cells[2 * columns + 1].text == " " && cells[2 * columns + columns - 2].text != " ")
    }

    @Test(
        "Pixel protocols send their own sequences",
        arguments: [(Graphics.kitty, "\u{1B}_G"), (.sixel, "\u{1B}P"), (.iterm, "\u{1B}]1337;File=")])
    func sequences(graphics: Graphics, start: String) {
        let painter = PicturePainter(graphics: graphics, colours: .palette16, cell: .init(width: 10, height: 20))
        guard case .sequence(let text, 16, 8)? = painter.paint(Self.halves, columns: 40, rows: 8) else {
            Issue.record("no sequence of 16×8 characters")
            return
        }
        #expect(text.contains(start))
        #expect(!text.contains("\n"), "a line feed would move the text below")
        #expect(text.utf8.count < 40_000, "no more pixels are sent than 32 × 32, or what the window has")
    }

    @Test func theStretchesKeepTheOrderOfBrightness() throws {
        let image = Image(bands: ["r"], width: 64, height: 64, pixels: (0..<4096).map { Float($0) })
        for curve in PictureSettings.Curve.allCases {
            var settings = PictureSettings()
            settings.curve = curve
            settings.band = 0
            let samples = try settings.draw(image).samples
            // FITS rows are stored from the bottom: the brightest one is drawn first.
            let rows = (0..<64).map { Int(samples[($0 * 64 + 32) * 3]) }
            #expect(zip(rows, rows.dropFirst()).allSatisfy { $0 >= $1 } && rows[0] > rows[63] + 150, "\(curve)")
        }
        var zoomed = PictureSettings()
        zoomed.zoom = 4
        #expect(try zoomed.draw(image).width == 16)
    }

    @Test func equalisingSpreadsTheBrightness() {
        let levels = (0..<300).map { UInt8($0 / 15) }
        let dark = RGBImage(width: 100, height: 1, samples: levels)
        let samples = PictureSettings.equalised(dark).samples
        #expect(samples.min()! < 15 && samples.max()! > 240)
    }

    private final class Source: PictureSource {
        let reads = Mutex<[String]>([])
        var views: [ReviewView] { [.image] }

        func image(of files: [String], view: ReviewView) throws -> Image {
            reads.withLock { $0.append(files[0]) }
            if files[0] == "bad" { throw MemoryQueue.Failure() }
            return Image(bands: ["r"], width: 16, height: 16, pixels: [Float](repeating: 1, count: 256))
        }

        func neighbours(of id: String, count: Int) throws -> [ReviewNeighbour] {
            [ReviewNeighbour(id: "like " + id, files: ["n"], distance: 1)]
        }
    }

    @Test func picturesAreReadAheadOnceAndABadFileSaysWhy() async throws {
        let source = Source()
        let ready = DispatchSemaphore(value: 0)
        let loader = PictureLoader(source: source) { ready.signal() }
        let painter = PicturePainter(graphics: .blocks, colours: .trueColour, cell: nil)
        let requests = ["a", "bad", "b"].map {
            PictureRequest(files: [$0], settings: PictureSettings(), columns: 10, rows: 5, painter: painter)
        }
        #expect(loader.picture(requests[0]) == nil)
        loader.want(requests, neighboursOf: "a")
        for _ in 0..<4 { #expect(ready.wait(timeout: .now() + 10) == .success) }
        guard case .painted = loader.picture(requests[0]) else {
            Issue.record("no picture")
            return
        }
        #expect(loader.picture(requests[1]) == .failed("RUN/labels.sqlite: the disk is full"))
        #expect(loader.neighbours(of: "a")?.first?.id == "like a")
        loader.want(requests)
        #expect(source.reads.withLock { $0 } == ["a", "bad", "b"])
        loader.stop()
    }
}
