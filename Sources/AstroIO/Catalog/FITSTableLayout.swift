/// How the columns of a FITS binary table lie in the bytes of a row (FITS standard 4.0, section 7.3).
struct FITSTableLayout {
    struct Field {
        var schema: ColumnDescription
        /// Bytes from the start of the row.
        var offset: Int
        /// Elements in a cell; for text the number of bytes.
        var count: Int
        var storage: Storage
        /// TNULLn: the stored integer that stands for a missing value.
        var null: Int64?
        /// TSCALn and TZEROn, unless the pair only says that integers are unsigned (then see `storage`).
        var scale = 1.0
        var zero = 0.0
    }

    enum Storage {
        case text, logical, uint8, int16, int32, int64, float, double
        /// Integers of the other signedness, which FITS marks by TZEROn: stored minus half their range.
        case int8, uint16, uint32, uint64
    }

    var fields: [Field] = []
    var skipped: [Catalog.SkippedColumn] = []
    /// Bytes in a row (NAXIS1).
    var rowWidth = 0

    // MARK: - Writing

    /// The layout of a new table. `missing` gives the TNULL value of integer columns; the lowest number otherwise
    /// (255 for uint8).
    init(columns: [ColumnDescription], missing: [String: Int64]?, path: String) throws(CatalogError) {
        guard columns.count <= 999 else {
            throw CatalogError(
                .unsupported, path: path, "a FITS table has at most 999 columns, this one \(columns.count)")
        }
        for column in columns {
            var field = Field(schema: column, offset: rowWidth, count: 1, storage: .text)
            var lowest: Int64?
            switch column.type {
            case .string(let width): field.count = max(1, width)
            case .bool: field.storage = .logical
            case .uint8: (field.storage, lowest) = (.uint8, 255)
            case .int16: (field.storage, lowest) = (.int16, Int64(Int16.min))
            case .int32: (field.storage, lowest) = (.int32, Int64(Int32.min))
            case .int64: (field.storage, lowest) = (.int64, Int64.min)
            case .float: field.storage = .float
            case .double: field.storage = .double
            case .floatVector(let width): (field.storage, field.count) = (.float, width)
            case .doubleVector(let width): (field.storage, field.count) = (.double, width)
            }
            guard field.count > 0 else {
                throw CatalogError(.table, path: path, column: column.name, "a vector needs a width of at least 1")
            }
            if let lowest { field.null = missing == nil ? lowest : missing?[column.name] }
            rowWidth += field.bytes
            fields.append(field)
        }
    }

    /// Gives a text column more room; the fields after it move.
    mutating func widen(_ index: Int, to bytes: Int) {
        fields[index].count = bytes
        var offset = 0
        for other in fields.indices {
            fields[other].offset = offset
            offset += fields[other].bytes
        }
        rowWidth = offset
    }

    // MARK: - Reading

    /// Elements of an unsupported kind are skipped, with the reason in `skipped`.
    init(header: FITSTableHeader, path: String) throws(CatalogError) {
        guard let width = header.integer("NAXIS1"), let count = header.integer("TFIELDS"), width >= 0,
            (0...999).contains(count)
        else {
            throw CatalogError(.format, path: path, "NAXIS1 or TFIELDS of the table is missing or out of range")
        }
        rowWidth = width
        var offset = 0
        for number in 0..<count { try addField(number + 1, header, at: &offset, path: path) }
        guard offset <= rowWidth else {
            throw CatalogError(.format, path: path, "the columns need \(offset) bytes, a row has \(rowWidth)")
        }
    }

    private mutating func addField(
        _ number: Int, _ header: FITSTableHeader, at offset: inout Int, path: String
    ) throws(CatalogError) {
        let name = header.text("TTYPE\(number)").flatMap { $0.isEmpty ? nil : $0 } ?? "col\(number)"
        guard let (count, letter, rest) = FITSTableLayout.parse(tform: header.text("TFORM\(number)") ?? "") else {
            throw CatalogError(.format, path: path, column: name, "TFORM\(number) is missing or malformed")
        }
        let elementBits: Int
        switch letter {
        case "X": elementBits = 1
        case "L", "B", "A": elementBits = 8
        case "I": elementBits = 16
        case "J", "E": elementBits = 32
        case "K", "D", "C", "P": elementBits = 64
        case "M", "Q": elementBits = 128
        default:
            throw CatalogError(.format, path: path, column: name, "TFORM\(number) has the unknown code '\(letter)'")
        }
        let start = offset
        let (bits, overflow) = count.multipliedReportingOverflow(by: elementBits)
        guard !overflow, bits <= Int.max / 2 - offset * 8, offset + (bits + 7) / 8 <= rowWidth else {
            throw CatalogError(
                .format, path: path, column: name, "the column reaches beyond the row's \(rowWidth) bytes")
        }
        offset += (bits + 7) / 8

        func skip(_ reason: String) { skipped.append(Catalog.SkippedColumn(name: name, reason: reason)) }
        guard count > 0 else { return skip("its cells are empty") }
        var field = Field(
            schema: ColumnDescription(
                name, .text, unit: header.text("TUNIT\(number)"), ucd: header.text("TUCD\(number)"),
                description: header.text("TCOMM\(number)") ?? header.text("TDESC\(number)"),
                format: header.text("TDISP\(number)").flatMap { DisplayFormat(tdisp: $0) }),
            offset: start, count: count, storage: .text)
        field.scale = header.double("TSCAL\(number)") ?? 1
        field.zero = header.double("TZERO\(number)") ?? 0
        switch letter {
        case "A":
            if let width = Int(rest), width < count { return skip("its cells hold several texts") }
            if (header.text("TDIM\(number)") ?? "").contains(",") { return skip("its cells hold several texts") }
            field.schema.type = .string(maxBytes: count)
        case "L":
            guard count == 1 else { return skip("its cells are vectors of truth values") }
            (field.storage, field.schema.type) = (.logical, .bool)
        case "B", "I", "J", "K":
            field.null = header.integer("TNULL\(number)").map(Int64.init)
            guard FITSTableLayout.setInteger(letter, &field) else {
                return skip("its cells are vectors of 64-bit integers")
            }
        case "E":
            field.storage = .float
            field.schema.type = count == 1 ? .float : .floatVector(width: count)
        case "D":
            field.storage = .double
            field.schema.type = count == 1 ? .double : .doubleVector(width: count)
        case "P", "Q": return skip("its cells are arrays of variable length")
        case "X": return skip("its cells are bit arrays")
        default: return skip("its cells are complex numbers")
        }
        fields.append(field)
    }

    /// Chooses storage and type of an integer column; false where the values have no exact home.
    private static func setInteger(_ letter: Character, _ field: inout Field) -> Bool {
        let isOffset = field.scale == 1 && field.zero != 0
        switch (letter, isOffset ? field.zero : 0) {
        case ("B", -128): (field.storage, field.schema.type) = (.int8, .int16)
        case ("I", 32768): (field.storage, field.schema.type) = (.uint16, .int32)
        case ("J", 2_147_483_648): (field.storage, field.schema.type) = (.uint32, .int64)
        case ("K", 9_223_372_036_854_775_808): (field.storage, field.schema.type) = (.uint64, .int64)
        case ("B", _): (field.storage, field.schema.type) = (.uint8, .uint8)
        case ("I", _): (field.storage, field.schema.type) = (.int16, .int16)
        case ("J", _): (field.storage, field.schema.type) = (.int32, .int32)
        default: (field.storage, field.schema.type) = (.int64, .int64)
        }
        switch field.storage {
        case .int8, .uint16, .uint32, .uint64: field.zero = 0
        default: if field.isScaled { field.schema.type = .double }
        }
        if field.count > 1 {
            if letter == "K" { return false }
            field.schema.type = .doubleVector(width: field.count)
        }
        return true
    }

    /// Splits `12A4` into 12, A, "4".
    static func parse(tform: String) -> (count: Int, letter: Character, rest: String)? {
        let text = tform.trimmingSpaces()
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let letter = text.dropFirst(digits.count).first else { return nil }
        guard let count = digits.isEmpty ? 1 : Int(digits) else { return nil }
        return (count, letter, String(text.dropFirst(digits.count + 1)))
    }
}

extension FITSTableLayout.Field {
    var isScaled: Bool { scale != 1 || zero != 0 }

    var elementSize: Int {
        switch storage {
        case .text, .logical, .uint8, .int8: 1
        case .int16, .uint16: 2
        case .int32, .uint32, .float: 4
        case .int64, .uint64, .double: 8
        }
    }

    /// Bytes in a row.
    var bytes: Int { count * elementSize }

    /// The value of TFORMn.
    var tform: String {
        let letter =
            switch storage {
            case .text: "A"
            case .logical: "L"
            case .uint8, .int8: "B"
            case .int16, .uint16: "I"
            case .int32, .uint32: "J"
            case .int64, .uint64: "K"
            case .float: "E"
            case .double: "D"
            }
        return "\(count)\(letter)"
    }
}
