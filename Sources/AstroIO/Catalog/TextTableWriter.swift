/// Writes an ECSV or CSV table block by block, so that a table of any length needs the memory of one block.
///
///     var writer = try TextTableWriter(path, format: .ecsv, columns: reader.columns)
///     while let block = try reader.next() { try writer.append(block) }
///     try writer.finish()
///
/// The file appears under its name in `finish()`; a writer that is dropped before leaves nothing behind.
/// ECSV follows version 1.0 (astropy APE 6), with vectors as JSON lists under a `subtype`; CSV follows RFC 4180
/// with a header row, LF line ends, and vectors as JSON lists.
public struct TextTableWriter: ~Copyable {
    public enum Format: Sendable {
        case ecsv, csv
    }

    private var file: PendingFile
    private let columns: [ColumnDescription]
    private let format: Format
    /// The number of rows written so far.
    public private(set) var rowCount = 0

    /// - Throws: `CatalogError` when the file cannot be created or two columns have one name.
    public init(
        _ path: String, format: Format, name: String = "", columns: [ColumnDescription],
        metadata: [CatalogMetadata] = []
    ) throws(CatalogError) {
        try Catalog.checkNames(columns.map(\.name), path: path)
        var file = try PendingFile(path)
        if format == .ecsv { try file.write(ECSVHeader(name: name, columns: columns, metadata: metadata).text) }
        try file.write(TextTableWriter.line(columns.map(\.name), format))
        self.file = file
        self.columns = columns
        self.format = format
    }

    /// Adds the rows of a table with the same columns in the same order.
    public mutating func append(_ block: Catalog) throws(CatalogError) {
        try block.check(against: columns, path: file.path)
        let speller = format == .ecsv ? CellText.ecsv : CellText.csv
        for row in 0..<block.rowCount {
            try file.write(TextTableWriter.line(block.columns.map { speller.text($0.values, row) ?? "" }, format))
        }
        rowCount += block.rowCount
    }

    /// Completes the file and gives it its name.
    public consuming func finish() throws(CatalogError) {
        try file.commit()
    }

    private static func line(_ fields: [String], _ format: Format) -> String {
        var line = ""
        for (index, field) in fields.enumerated() {
            if index > 0 { line += format == .ecsv ? " " : "," }
            line += needsQuotes(field, format, alone: fields.count == 1) ? quoted(field) : field
        }
        return line + "\n"
    }

    /// ECSV separates by blanks, so an empty field must be visible there; in CSV only where it is the whole line.
    private static func needsQuotes(_ field: String, _ format: Format, alone: Bool) -> Bool {
        if field.isEmpty { return format == .ecsv || alone }
        if field.utf8.first == UInt8(ascii: "#") { return true }
        return field.utf8.contains { byte in
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: ","), 0x0a, 0x0d: true
            case 0x20, 0x09, 0x0b, 0x0c: format == .ecsv
            default: false
            }
        }
    }

    private static func quoted(_ field: String) -> String {
        guard field.utf8.contains(UInt8(ascii: "\"")) else { return "\"" + field + "\"" }
        return "\"" + field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
