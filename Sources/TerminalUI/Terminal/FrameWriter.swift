/// A picture that the terminal draws itself: an escape sequence for a place.
public struct PlacedPicture: Sendable, Equatable {
    public var row: Int
    public var column: Int
    public var sequence: String

    public init(row: Int, column: Int, sequence: String) {
        self.row = row
        self.column = column
        self.sequence = sequence
    }
}

/// Turns frames into the bytes that bring the window from the last frame to the next: only what changed, in one write, between
/// the marks of a synchronised update (terminals that do not know them ignore them), so that nothing flickers.
public struct FrameWriter: Sendable {
    public static let start = "\u{1B}[?2026h"
    public static let end = "\u{1B}[?2026l"

    private var shown: TextGrid?
    private var pictures: [PlacedPicture] = []

    public init() {}

    /// Forgets what the window shows: the next frame is written whole.
    public mutating func invalidate() {
        shown = nil
        pictures = []
    }

    /// - Returns: nothing when nothing changed.
    public mutating func encode(_ grid: TextGrid, pictures next: [PlacedPicture] = []) -> String {
        var whole = shown?.columns != grid.columns || shown?.rows != grid.rows
        var out = ""
        if next != pictures {
            // Cells under a picture of the old frame must be written again to remove it.
            whole = true
            if !pictures.isEmpty { out += "\u{1B}_Ga=d,q=2\u{1B}\\" }
        }
        if whole { out += "\u{1B}[0m\u{1B}[2J" }
        var style: CellStyle? = whole ? .plain : nil
        for row in 0..<grid.rows {
            var cursor: Int?
            for column in 0..<grid.columns {
                let cell = grid[row, column]
                guard let text = cell.text else { continue }
                if whole ? cell == Cell() : shown![row, column] == cell && follows(shown!, grid, row, column) {
                    continue
                }
                if cursor != column { out += "\u{1B}[\(row + 1);\(column + 1)H" }
                if style != cell.style {
                    out += Self.sequence(of: cell.style)
                    style = cell.style
                }
                out.append(text)
                cursor = column + TextWidth.of(text)
            }
        }
        for picture in next where whole {
            out += "\u{1B}[0m\u{1B}[\(picture.row + 1);\(picture.column + 1)H" + picture.sequence
        }
        shown = grid
        pictures = next
        return out.isEmpty ? "" : Self.start + out + "\u{1B}[0m" + Self.end
    }

    /// Whether the right half of a wide character is as before too.
    private func follows(_ old: TextGrid, _ new: TextGrid, _ row: Int, _ column: Int) -> Bool {
        column + 1 >= new.columns || (old[row, column + 1].text == nil) == (new[row, column + 1].text == nil)
    }

    /// Select Graphic Rendition, from nothing.
    static func sequence(of style: CellStyle) -> String {
        var codes = ["0"]
        if style.bold { codes.append("1") }
        if style.inverse { codes.append("7") }
        codes += Self.codes(style.foreground, base: 30)
        codes += Self.codes(style.background, base: 40)
        return "\u{1B}[" + codes.joined(separator: ";") + "m"
    }

    private static func codes(_ colour: CellColour, base: Int) -> [String] {
        switch colour {
        case .standard: []
        case .palette(let index) where index < 8: ["\(base + Int(index))"]
        case .palette(let index) where index < 16: ["\(base + 52 + Int(index))"]
        case .palette(let index): ["\(base + 8)", "5", "\(index)"]
        case .rgb(let red, let green, let blue): ["\(base + 8)", "2", "\(red)", "\(green)", "\(blue)"]
        }
    }
}
