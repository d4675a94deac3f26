/// Where things are in a review's window.
public struct ReviewLayout: Sendable, Equatable {
    public struct Area: Sendable, Equatable {
        public var row: Int
        public var column: Int
        public var columns: Int
        public var rows: Int
    }

    public static let smallest = TerminalSize(columns: 50, rows: 16)

    public let picture: Area
    public let neighbours: Area?
    public let panel: Area
    public let captionRow: Int
    public let messageRow: Int
    public let statusRow: Int

    /// Nil when the window is too small.
    public init?(_ size: TerminalSize, neighbours showsNeighbours: Bool) {
        guard size.columns >= Self.smallest.columns, size.rows >= Self.smallest.rows else { return nil }
        let panelColumns = size.columns >= 110 ? 44 : size.columns >= 76 ? 32 : 26
        statusRow = size.rows - 1
        messageRow = size.rows - 2
        captionRow = size.rows - 3
        let rows = captionRow - 1
        let columns = size.columns - panelColumns - 1
        let strip = showsNeighbours ? min(max(rows / 3, 5), 12) : 0
        picture = Area(row: 1, column: 0, columns: columns, rows: rows - strip)
        neighbours = showsNeighbours ? Area(row: 1 + rows - strip, column: 0, columns: columns, rows: strip) : nil
        panel = Area(row: 1, column: columns + 1, columns: panelColumns, rows: rows + 1)
    }
}
