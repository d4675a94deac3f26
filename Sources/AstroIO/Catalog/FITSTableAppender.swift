import Glibc

/// Writes a FITS binary table block by block, so that a table of any length needs the memory of one block.
///
///     var appender = try FITSTableAppender(path, name: "EMBEDDINGS", columns: [
///         ColumnDescription("id_str", .text, ucd: "meta.id;meta.main"),
///         ColumnDescription("embedding", .floatVector(width: 384)),
///     ])
///     try appender.append(block)      // a Catalog with these columns
///     try appender.finish()
///
/// Rows go to a temporary file beside the final one, which `finish()` completes with CHECKSUM and DATASUM and
/// renames; an appender that is dropped before leaves nothing behind. Text columns grow when a longer text comes
/// (the rows written so far are then moved once), so their width in the schema is only a first guess.
///
/// One owner at a time: hand it over, or keep it in an actor.
public struct FITSTableAppender: ~Copyable, Sendable {
    private let path: String
    private let temporaryPath: String
    private var handle: FITSTableHandle?
    private var layout: FITSTableLayout
    private let columns: [ColumnDescription]
    /// The number of rows written so far.
    public private(set) var rowCount = 0

    /// Rows are coded and written in pieces of about this many bytes.
    private static let pieceSize = 1 << 20

    /// Creates the file with an empty table.
    ///
    /// - Parameters:
    ///   - name: EXTNAME.
    ///   - columns: their integer columns get as TNULL the lowest number of their type (255 for uint8).
    ///   - metadata: header keywords, in upper case; names of more than 8 characters become HIERARCH keywords.
    /// - Throws: `CatalogError` when the file cannot be created, or a name or keyword is not possible in FITS.
    public init(
        _ path: String, name: String = "", columns: [ColumnDescription], metadata: [CatalogMetadata] = []
    ) throws(CatalogError) {
        try self.init(path, name: name, columns: columns, metadata: metadata, missing: nil)
    }

    /// - Parameter missing: the TNULL value of each integer column that may have one; nil takes the lowest numbers.
    init(
        _ path: String, name: String, columns: [ColumnDescription], metadata: [CatalogMetadata],
        missing: [String: Int64]?
    ) throws(CatalogError) {
        try Catalog.checkNames(columns.map(\.name), path: path)
        for column in columns {
            guard FITSText.encode(column.name).count <= 68, FITSText.encode(column.unit ?? "").count <= 68 else {
                throw CatalogError(.table, path: path, column: column.name, "name or unit is longer than a FITS card")
            }
        }
        let layout = try FITSTableLayout(columns: columns, missing: missing, path: path)
        let temporaryPath = PendingFile.temporaryPath(for: path)
        var handle = try FITSTableHandle(creating: temporaryPath, for: path)
        do throws(CatalogError) {
            try handle.writeChecksum()
            try handle.createTable(name: name, fields: layout.fields)
            for (index, field) in layout.fields.enumerated() {
                try FITSTableAppender.describe(field, number: index + 1, in: &handle)
            }
            for entry in metadata { try FITSTableAppender.write(entry, in: &handle) }
            // Reserves the cards now: adding them behind written rows would move all of these.
            try handle.writeChecksum()
        } catch {
            unlink(temporaryPath)
            throw error
        }
        self.path = path
        self.temporaryPath = temporaryPath
        self.columns = columns
        self.layout = layout
        self.handle = consume handle
    }

    deinit {
        if handle != nil { unlink(temporaryPath) }
    }

    private static func describe(
        _ field: FITSTableLayout.Field, number: Int, in handle: inout FITSTableHandle
    ) throws(CatalogError) {
        if let null = field.null { try handle.write("TNULL\(number)", null) }
        if let format = field.schema.format, fits(format, field.schema.type) {
            try handle.write("TDISP\(number)", format.tdisp)
        }
        if let text = field.schema.description { try handle.write("TCOMM\(number)", text) }
        if let ucd = field.schema.ucd { try handle.write("TUCD\(number)", ucd) }
    }

    /// Whether FITS allows the display format for the type; a wrong one makes the file invalid.
    private static func fits(_ format: DisplayFormat, _ type: ColumnType) -> Bool {
        switch type {
        case .string: format.style == .text
        case .bool: false
        case .uint8, .int16, .int32, .int64: format.style == .integer || format.style == .hexadecimal
        case .float, .double, .floatVector, .doubleVector:
            format.style == .fixed || format.style == .exponential || format.style == .general
        }
    }

    private static func write(_ entry: CatalogMetadata, in handle: inout FITSTableHandle) throws(CatalogError) {
        let upper = entry.key.uppercased()
        guard !entry.key.isEmpty, entry.key.utf8.count <= 48,
            entry.key.utf8.allSatisfy({
                (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "'")
            })
        else {
            throw CatalogError(.table, path: handle.path, "'\(entry.key)' cannot be a FITS keyword")
        }
        guard !FITSTableHeader.isStructural(upper) else {
            throw CatalogError(.table, path: handle.path, "the keyword \(upper) belongs to the structure of the table")
        }
        if entry.isNumeral {
            try handle.write(upper, number: entry.value.uppercased(), comment: entry.comment)
        } else {
            try handle.write(upper, entry.value, comment: entry.comment)
        }
    }

    /// Adds the rows of a table with the same columns in the same order.
    /// - Throws: `CatalogError` naming row and column where the columns differ or a value cannot be written.
    public mutating func append(_ block: Catalog) throws(CatalogError) {
        try block.check(against: columns, path: path)
        try makeRoom(for: block)
        let step = max(1, FITSTableAppender.pieceSize / max(1, layout.rowWidth))
        var start = 0
        while start < block.rowCount {
            let rows = start..<min(start + step, block.rowCount)
            let bytes = try layout.encode(block, rows: rows, firstRow: rowCount, path: path)
            try handle?.write(bytes, row: rowCount)
            rowCount += rows.count
            start = rows.upperBound
        }
    }

    private mutating func makeRoom(for block: Catalog) throws(CatalogError) {
        for (index, column) in block.columns.enumerated() {
            guard case .string(let cells) = column.values else { continue }
            let needed = cells.lazy.map { $0.map { FITSText.encode($0).count } ?? 0 }.max() ?? 0
            guard needed > layout.fields[index].count else { continue }
            // Growing by half again at least keeps the number of moves small.
            let width = rowCount == 0 ? needed : max(needed, layout.fields[index].count * 3 / 2)
            try handle?.widen(column: index, to: width)
            layout.widen(index, to: width)
        }
    }

    /// Writes the checksums, closes the file and gives it its name, replacing an older one.
    public consuming func finish() throws(CatalogError) {
        try handle?.writeChecksum()
        if let open = handle.take() {
            do {
                try open.close()
            } catch {
                unlink(temporaryPath)
                throw error
            }
        }
        try PendingFile.rename(temporaryPath, to: path)
    }
}
