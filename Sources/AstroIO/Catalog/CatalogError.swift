/// What went wrong with a table: the file, and where known the row and the column.
public struct CatalogError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// The file cannot be opened, read, written or renamed.
        case file
        /// The file is not what its format demands: truncated, malformed, or with claims it does not keep.
        case format
        /// The file is valid, but uses something that this reader does not support.
        case unsupported
        /// The table itself does not fit: lengths that differ, a name used twice, a value out of range.
        case table
    }

    public var kind: Kind
    /// The file's path; nil for a table that is only in memory.
    public var path: String?
    /// The table row, counted from 0; nil where the fault is not in one row.
    public var row: Int?
    public var column: String?
    public var reason: String

    public init(_ kind: Kind, path: String? = nil, row: Int? = nil, column: String? = nil, _ reason: String) {
        self.kind = kind
        self.path = path
        self.row = row
        self.column = column
        self.reason = reason
    }

    public var description: String {
        var place: [String] = []
        if let path { place.append(path) }
        if let row { place.append("row \(row)") }
        if let column { place.append("column '\(column)'") }
        return place.isEmpty ? reason : place.joined(separator: ", ") + ": " + reason
    }
}
