/// A colour of a cell.
public enum CellColour: Sendable, Hashable {
    /// The terminal's own.
    case standard
    /// The palette: 0 … 15 are the user's, 16 … 255 xterm's.
    case palette(UInt8)
    case rgb(UInt8, UInt8, UInt8)
}

/// How a cell looks.
public struct CellStyle: Sendable, Hashable {
    public var foreground: CellColour
    public var background: CellColour
    public var bold: Bool
    public var inverse: Bool

    public init(
        foreground: CellColour = .standard, background: CellColour = .standard, bold: Bool = false,
        inverse: Bool = false
    ) {
        self.foreground = foreground
        self.background = background
        self.bold = bold
        self.inverse = inverse
    }

    public static let plain = CellStyle()
    public static let bold = CellStyle(bold: true)
    public static let quiet = CellStyle(foreground: .palette(8))
    public static let bar = CellStyle(inverse: true)
    public static let warning = CellStyle(foreground: .palette(1), bold: true)
    public static let accent = CellStyle(foreground: .palette(6), bold: true)
    public static let good = CellStyle(foreground: .palette(2))
}

/// One place of a terminal's window.
public struct Cell: Sendable, Hashable {
    /// A character with its combining marks; empty for the right half of a wide one.
    public var text: Character?
    public var style: CellStyle

    public init(_ text: Character? = " ", _ style: CellStyle = .plain) {
        self.text = text
        self.style = style
    }
}

/// What a window shows, before it is written.
public struct TextGrid: Sendable, Equatable {
    public let columns: Int
    public let rows: Int
    /// rows × columns.
    public private(set) var cells: [Cell]

    public init(columns: Int, rows: Int) {
        self.columns = max(columns, 1)
        self.rows = max(rows, 1)
        cells = [Cell](repeating: Cell(), count: self.columns * self.rows)
    }

    public subscript(row: Int, column: Int) -> Cell { cells[row * columns + column] }

    /// Writes text; what does not fit in `width` columns (by default: the rest of the row) is cut with an ellipsis.
    /// - Returns: the column after it.
    @discardableResult
    public mutating func put(
        _ text: String, row: Int, column: Int, style: CellStyle = .plain, width: Int? = nil, ellipsis: String = "…"
    ) -> Int {
        guard (0..<rows).contains(row), (0..<columns).contains(column) else { return column }
        let room = min(width ?? columns, columns - column)
        var place = column
        for character in TextWidth.fit(TextWidth.harmless(text), room, ellipsis: ellipsis) {
            let size = TextWidth.of(character)
            guard size > 0 else { continue }
            cells[row * columns + place] = Cell(character, style)
            if size == 2 { cells[row * columns + place + 1] = Cell(nil, style) }
            place += size
        }
        return place
    }

    /// Puts a cell; outside of the grid nothing happens.
    public mutating func put(_ cell: Cell, row: Int, column: Int) {
        guard (0..<rows).contains(row), (0..<columns).contains(column) else { return }
        cells[row * columns + column] = cell
    }

    /// A whole row in one style.
    public mutating func fill(row: Int, style: CellStyle) {
        guard (0..<rows).contains(row) else { return }
        for column in 0..<columns { cells[row * columns + column] = Cell(" ", style) }
    }

    /// The rows as text, without spaces at their ends.
    public var lines: [String] {
        (0..<rows).map { row in
            var line = String(cells[(row * columns)..<((row + 1) * columns)].compactMap(\.text))
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
