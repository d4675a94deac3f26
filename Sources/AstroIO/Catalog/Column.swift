/// The type of a column's cells.
public enum ColumnType: Sendable, Equatable {
    /// Text. `maxBytes` is the width that a FITS table reserves at first (it grows when a longer text comes).
    case string(maxBytes: Int)
    case bool
    case uint8
    case int16
    case int32
    case int64
    case float
    case double
    /// `width` floats in each cell.
    case floatVector(width: Int)
    /// `width` doubles in each cell.
    case doubleVector(width: Int)

    /// Text with room for 16 bytes to begin with.
    public static let text = ColumnType.string(maxBytes: 16)

    /// Whether cells of both types may stand in one column: equal, or both text.
    func holds(_ other: ColumnType) -> Bool {
        if case .string = self, case .string = other { return true }
        return self == other
    }
}

/// The cells of one column, all of one type.
///
/// A missing value is `nil`; in floating-point columns it is NaN, as in FITS. Vectors lie row after row,
/// so row r of a `floatVector` of width w is `values[r*w ..< (r+1)*w]`. A text is never empty in a file:
/// no table format but JSON can tell an empty text from a missing one, so readers return `nil` for both.
public enum ColumnValues: Sendable {
    case string([String?])
    case bool([Bool?])
    case uint8([UInt8?])
    case int16([Int16?])
    case int32([Int32?])
    case int64([Int64?])
    case float([Float])
    case double([Double])
    case floatVector([Float], width: Int)
    case doubleVector([Double], width: Int)

    /// The number of rows.
    public var count: Int {
        switch self {
        case .string(let cells): cells.count
        case .bool(let cells): cells.count
        case .uint8(let cells): cells.count
        case .int16(let cells): cells.count
        case .int32(let cells): cells.count
        case .int64(let cells): cells.count
        case .float(let cells): cells.count
        case .double(let cells): cells.count
        case .floatVector(let cells, let width): width > 0 ? cells.count / width : 0
        case .doubleVector(let cells, let width): width > 0 ? cells.count / width : 0
        }
    }

    public var type: ColumnType {
        switch self {
        case .string(let cells): .string(maxBytes: cells.lazy.map { $0?.utf8.count ?? 0 }.max() ?? 0)
        case .bool: .bool
        case .uint8: .uint8
        case .int16: .int16
        case .int32: .int32
        case .int64: .int64
        case .float: .float
        case .double: .double
        case .floatVector(_, let width): .floatVector(width: width)
        case .doubleVector(_, let width): .doubleVector(width: width)
        }
    }

    /// No cells of the given type.
    public static func empty(_ type: ColumnType) -> ColumnValues {
        switch type {
        case .string: .string([])
        case .bool: .bool([])
        case .uint8: .uint8([])
        case .int16: .int16([])
        case .int32: .int32([])
        case .int64: .int64([])
        case .float: .float([])
        case .double: .double([])
        case .floatVector(let width): .floatVector([], width: width)
        case .doubleVector(let width): .doubleVector([], width: width)
        }
    }

    subscript(rows: Range<Int>) -> ColumnValues {
        switch self {
        case .string(let cells): .string(Array(cells[rows]))
        case .bool(let cells): .bool(Array(cells[rows]))
        case .uint8(let cells): .uint8(Array(cells[rows]))
        case .int16(let cells): .int16(Array(cells[rows]))
        case .int32(let cells): .int32(Array(cells[rows]))
        case .int64(let cells): .int64(Array(cells[rows]))
        case .float(let cells): .float(Array(cells[rows]))
        case .double(let cells): .double(Array(cells[rows]))
        case .floatVector(let cells, let width):
            .floatVector(Array(cells[rows.lowerBound * width..<rows.upperBound * width]), width: width)
        case .doubleVector(let cells, let width):
            .doubleVector(Array(cells[rows.lowerBound * width..<rows.upperBound * width]), width: width)
        }
    }

    /// Adds the cells of a column of the same type; false (and nothing added) where the types differ.
    mutating func append(_ other: ColumnValues) -> Bool {
        switch (self, other) {
        case (.string(let old), .string(let new)): self = .string(old + new)
        case (.bool(let old), .bool(let new)): self = .bool(old + new)
        case (.uint8(let old), .uint8(let new)): self = .uint8(old + new)
        case (.int16(let old), .int16(let new)): self = .int16(old + new)
        case (.int32(let old), .int32(let new)): self = .int32(old + new)
        case (.int64(let old), .int64(let new)): self = .int64(old + new)
        case (.float(let old), .float(let new)): self = .float(old + new)
        case (.double(let old), .double(let new)): self = .double(old + new)
        case (.floatVector(let old, let width), .floatVector(let new, let other)) where width == other:
            self = .floatVector(old + new, width: width)
        case (.doubleVector(let old, let width), .doubleVector(let new, let other)) where width == other:
            self = .doubleVector(old + new, width: width)
        default: return false
        }
        return true
    }
}

extension ColumnValues: Equatable {
    /// Equal types and cells; two NaNs are equal here, since NaN marks a missing value.
    public static func == (left: ColumnValues, right: ColumnValues) -> Bool {
        switch (left, right) {
        case (.string(let a), .string(let b)): a == b
        case (.bool(let a), .bool(let b)): a == b
        case (.uint8(let a), .uint8(let b)): a == b
        case (.int16(let a), .int16(let b)): a == b
        case (.int32(let a), .int32(let b)): a == b
        case (.int64(let a), .int64(let b)): a == b
        case (.float(let a), .float(let b)): a.elementsEqual(b) { $0 == $1 || ($0.isNaN && $1.isNaN) }
        case (.double(let a), .double(let b)): a.elementsEqual(b) { $0 == $1 || ($0.isNaN && $1.isNaN) }
        case (.floatVector(let a, let m), .floatVector(let b, let n)):
            m == n && a.elementsEqual(b) { $0 == $1 || ($0.isNaN && $1.isNaN) }
        case (.doubleVector(let a, let m), .doubleVector(let b, let n)):
            m == n && a.elementsEqual(b) { $0 == $1 || ($0.isNaN && $1.isNaN) }
        default: false
        }
    }
}

/// What a column is, without its cells: the schema of a table that is written or read in blocks.
public struct ColumnDescription: Sendable, Equatable {
    public var name: String
    public var type: ColumnType
    /// The unit in FITS/VOUnit spelling (`deg`, `arcsec`, `nJy`, `mag(AB)`); nil for a pure number or text.
    public var unit: String?
    /// IVOA unified content descriptor (`pos.eq.ra;meta.main`).
    public var ucd: String?
    public var description: String?
    /// How programs show a cell; files keep full precision whatever it says.
    public var format: DisplayFormat?

    public init(
        _ name: String, _ type: ColumnType, unit: String? = nil, ucd: String? = nil, description: String? = nil,
        format: DisplayFormat? = nil
    ) {
        self.name = name
        self.type = type
        self.unit = unit
        self.ucd = ucd
        self.description = description
        self.format = format
    }
}

/// A named column of a `Catalog`.
///
///     Column("ra", .double([10.5, 10.7]), unit: "deg", ucd: "pos.eq.ra;meta.main")
public struct Column: Sendable, Equatable {
    public var name: String
    public var values: ColumnValues
    /// The unit in FITS/VOUnit spelling (`deg`, `arcsec`, `nJy`); nil for a pure number or text.
    public var unit: String?
    /// IVOA unified content descriptor (`pos.eq.ra;meta.main`).
    public var ucd: String?
    public var description: String?
    /// How programs show a cell; files keep full precision whatever it says.
    public var format: DisplayFormat?

    public init(
        _ name: String, _ values: ColumnValues, unit: String? = nil, ucd: String? = nil,
        description: String? = nil, format: DisplayFormat? = nil
    ) {
        self.name = name
        self.values = values
        self.unit = unit
        self.ucd = ucd
        self.description = description
        self.format = format
    }

    /// A column as the schema says, with these cells.
    public init(_ schema: ColumnDescription, _ values: ColumnValues) {
        self.init(
            schema.name, values, unit: schema.unit, ucd: schema.ucd, description: schema.description,
            format: schema.format)
    }

    public var count: Int { values.count }

    /// The column without its cells.
    public var schema: ColumnDescription {
        ColumnDescription(name, values.type, unit: unit, ucd: ucd, description: description, format: format)
    }

    /// The cells as doubles, NaN where missing; nil for text, truth values and vectors.
    /// Integers beyond 2⁵³ are rounded.
    public var doubles: [Double]? {
        switch values {
        case .uint8(let cells): cells.map { $0.map(Double.init) ?? .nan }
        case .int16(let cells): cells.map { $0.map(Double.init) ?? .nan }
        case .int32(let cells): cells.map { $0.map(Double.init) ?? .nan }
        case .int64(let cells): cells.map { $0.map(Double.init) ?? .nan }
        case .float(let cells): cells.map(Double.init)
        case .double(let cells): cells
        case .string, .bool, .floatVector, .doubleVector: nil
        }
    }

    /// The cells as 64-bit integers; nil for columns that do not hold integers.
    public var integers: [Int64?]? {
        switch values {
        case .uint8(let cells): cells.map { $0.map(Int64.init) }
        case .int16(let cells): cells.map { $0.map(Int64.init) }
        case .int32(let cells): cells.map { $0.map(Int64.init) }
        case .int64(let cells): cells
        case .string, .bool, .float, .double, .floatVector, .doubleVector: nil
        }
    }

    /// The cells as text (integers in decimal, floats in the shortest form that reads back the same);
    /// nil for vectors. Use it for identifiers, which catalogs hold as text or as numbers.
    public var strings: [String?]? {
        switch values {
        case .string(let cells): cells
        case .bool(let cells): cells.map { $0.map { $0 ? "true" : "false" } }
        case .float(let cells): cells.map { $0.isNaN ? nil : "\($0)" }
        case .double(let cells): cells.map { $0.isNaN ? nil : "\($0)" }
        case .uint8, .int16, .int32, .int64: integers?.map { $0.map { "\($0)" } }
        case .floatVector, .doubleVector: nil
        }
    }
}
