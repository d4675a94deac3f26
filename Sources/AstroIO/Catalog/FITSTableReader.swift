/// Reads a FITS binary table in row ranges, so that a table of any length needs the memory of one range.
///
///     var reader = try FITSTableReader("embeddings.fits")
///     while let block = try reader.next(rows: 4096, columns: ["id_str", "embedding"]) { … }
///     let vectors = try reader.floats("embedding", rows: 0..<1000)   // 1000 × width
///
/// Unsigned integers become the next wider signed type, scaled integers (TSCAL, TZERO) doubles, vectors of up to
/// 32-bit integers vectors of doubles. What `Catalog` cannot hold is named in `skippedColumns`.
public struct FITSTableReader: ~Copyable, Sendable {
    /// An extension by number (0 is the primary HDU) or by name (EXTNAME, case does not count).
    public enum HDU: Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
        case number(Int)
        case name(String)

        public init(integerLiteral value: Int) { self = .number(value) }
        public init(stringLiteral value: String) { self = .name(value) }
    }

    private let path: String
    private var handle: FITSTableHandle
    private let layout: FITSTableLayout
    private var position = 0

    /// EXTNAME; may be empty.
    public let name: String
    public let metadata: [CatalogMetadata]
    public let rowCount: Int
    public var columns: [ColumnDescription] { layout.fields.map(\.schema) }
    public var skippedColumns: [Catalog.SkippedColumn] { layout.skipped }

    private static let pieceSize = 1 << 20

    /// Opens the table.
    ///
    /// - Parameter hdu: nil takes the first binary table that is not SExtractor's `LDAC_IMHEAD`.
    /// - Throws: `CatalogError` when the file is no FITS file, has no such table, or is shorter than the table says.
    public init(_ path: String, hdu: HDU? = nil) throws(CatalogError) {
        var handle = try FITSTableHandle(reading: path)
        let header = try FITSTableReader.find(hdu, in: &handle, path: path)
        guard header.text("ZTABLE") != "T" else {
            throw CatalogError(.unsupported, path: path, "the table is tile-compressed (ZTABLE)")
        }
        let layout = try FITSTableLayout(header: header, path: path)
        guard let rows = header.integer("NAXIS2"), rows >= 0 else {
            throw CatalogError(.format, path: path, "NAXIS2 of the table is missing or negative")
        }
        let (size, overflow) = rows.multipliedReportingOverflow(by: layout.rowWidth)
        guard !overflow, size < Int.max / 2 else {
            throw CatalogError(.format, path: path, "the table claims \(rows) rows of \(layout.rowWidth) bytes")
        }
        let rowCount = layout.rowWidth == 0 ? 0 : rows
        if rowCount > 0 {
            // Reading the last byte before anything is reserved shows that the claim is true.
            var last: [UInt8] = [0]
            try handle.read(row: rowCount - 1, offset: layout.rowWidth - 1, into: &last)
        }
        self.path = path
        self.layout = layout
        self.name = header.text("EXTNAME") ?? ""
        self.metadata = header.metadata
        self.rowCount = rowCount
        self.handle = consume handle
    }

    private static func find(
        _ hdu: HDU?, in handle: inout FITSTableHandle, path: String
    ) throws(CatalogError) -> FITSTableHeader {
        var sawText = false
        var number = 0
        while let type = try handle.advance() {
            number += 1
            if type == .asciiTable { sawText = true }
            if case .number(let wanted)? = hdu {
                guard number == wanted else { continue }
                guard type == .binaryTable else { break }
                return try handle.header()
            }
            guard type == .binaryTable else { continue }
            let header = try handle.header()
            let extname = header.text("EXTNAME") ?? ""
            if case .name(let wanted)? = hdu {
                if extname.lowercased() == wanted.lowercased() { return header }
            } else if extname != "LDAC_IMHEAD" {
                return header
            }
        }
        if case .number(let wanted)? = hdu {
            throw CatalogError(.format, path: path, "HDU \(wanted) is no binary table")
        }
        if case .name(let wanted)? = hdu {
            throw CatalogError(.format, path: path, "has no binary table named '\(wanted)'")
        }
        throw CatalogError(
            .unsupported, path: path, "has no binary table" + (sawText ? ", only an ASCII table extension" : ""))
    }

    // MARK: - Reading

    /// The given rows of the named columns (nil: all), in the order of the names.
    /// - Throws: `CatalogError` for rows beyond the table, an unknown column, or a value that does not fit.
    public mutating func read(rows: Range<Int>, columns names: [String]? = nil) throws(CatalogError) -> Catalog {
        try check(rows)
        var fields = layout.fields
        if let names {
            fields = []
            for name in names { fields.append(try field(name)) }
        }
        var values = fields.map { ColumnValues.empty($0.schema.type) }
        var firstRow = rows.lowerBound
        let path = path
        try forEachPiece(rows) { layout, bytes, count throws(CatalogError) in
            for (index, field) in fields.enumerated() {
                if let bad = layout.decode(field, bytes, rowCount: count, into: &values[index]) {
                    throw CatalogError(
                        .format, path: path, row: firstRow + bad, column: field.schema.name,
                        "the value does not fit \(field.schema.type)")
                }
            }
            firstRow += count
        }
        var catalog = try Catalog(
            name: name, columns: zip(fields, values).map { Column($0.schema, $1) }, metadata: metadata)
        catalog.skippedColumns = layout.skipped
        return catalog
    }

    /// The whole table.
    public mutating func readAll() throws(CatalogError) -> Catalog { try read(rows: 0..<rowCount) }

    /// The next block of at most `rows` rows; nil at the end of the table.
    public mutating func next(rows: Int = 4096, columns names: [String]? = nil) throws(CatalogError) -> Catalog? {
        guard position < rowCount else { return nil }
        let range = position..<min(rowCount, position + max(1, rows))
        position = range.upperBound
        return try read(rows: range, columns: names)
    }

    /// The values of a float column or float vector column, row after row: `rows.count` × width.
    public mutating func floats(_ column: String, rows: Range<Int>) throws(CatalogError) -> [Float] {
        try check(rows)
        let field = try field(column)
        guard case .float = field.storage else {
            throw CatalogError(.table, path: path, column: column, "holds \(field.schema.type), not floats")
        }
        var cells: [Float] = []
        cells.reserveCapacity(rows.count * field.count)
        try forEachPiece(rows) { layout, bytes, count in
            layout.appendFloats(field, bytes, count, to: &cells)
        }
        return cells
    }

    private func check(_ rows: Range<Int>) throws(CatalogError) {
        guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
            throw CatalogError(.table, path: path, "rows \(rows) were asked for, the table has \(rowCount)")
        }
    }

    private func field(_ name: String) throws(CatalogError) -> FITSTableLayout.Field {
        let folded = name.lowercased()
        guard
            let found = layout.fields.first(where: { $0.schema.name == name })
                ?? layout.fields.first(where: { $0.schema.name.lowercased() == folded })
        else {
            throw CatalogError(.table, path: path, column: name, "the table has no such column")
        }
        return found
    }

    private mutating func forEachPiece(
        _ rows: Range<Int>, _ body: (FITSTableLayout, [UInt8], Int) throws(CatalogError) -> Void
    ) throws(CatalogError) {
        let step = max(1, FITSTableReader.pieceSize / max(1, layout.rowWidth))
        var start = rows.lowerBound
        while start < rows.upperBound {
            let count = min(step, rows.upperBound - start)
            var bytes = [UInt8](repeating: 0, count: count * layout.rowWidth)
            try handle.read(row: start, offset: 0, into: &bytes)
            try body(layout, bytes, count)
            start += count
        }
    }
}
