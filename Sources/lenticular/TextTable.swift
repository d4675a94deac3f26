/// A table of aligned columns for a terminal.
struct TextTable {
    struct Column {
        var name: String
        /// In characters; longer cells push what follows.
        var width: Int
        var right: Bool

        init(_ name: String, _ width: Int, right: Bool = false) {
            self.name = name
            self.width = max(width, width == 0 ? 0 : name.count)
            self.right = right
        }
    }

    let columns: [Column]

    init(_ columns: [Column]) {
        self.columns = columns
    }

    var head: String { row(columns.map(\.name)) }

    func row(_ cells: [String]) -> String {
        var line = ""
        for (column, cell) in zip(columns, cells) {
            let room = String(repeating: " ", count: max(0, column.width - cell.count))
            line += (line.isEmpty ? "" : "  ") + (column.right ? room + cell : cell + room)
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}
