/// A named value that describes a whole table: survey, version, seed.
public struct CatalogMetadata: Sendable, Equatable {
    public var key: String
    public var value: String
    /// Kept by FITS and VOTable; ECSV and CSV have no place for it.
    public var comment: String?
    /// Whether `value` is a number, which FITS and ECSV write without quotes. CSV and VOTable do not tell.
    public var isNumber: Bool

    public init(_ key: String, _ value: String, comment: String? = nil) {
        self.key = key
        self.value = value
        self.comment = comment
        self.isNumber = false
    }

    public init(_ key: String, _ value: Int, comment: String? = nil) {
        self.init(key, "\(value)", comment: comment)
        isNumber = true
    }

    /// - Parameter value: not finite becomes text, since neither FITS nor YAML headers have a number for it.
    public init(_ key: String, _ value: Double, comment: String? = nil) {
        self.init(key, "\(value)", comment: comment)
        isNumber = value.isFinite
    }

    /// A value as a file spells it without quotes: a number, or else text.
    init(_ key: String, unquoted value: String, comment: String? = nil) {
        self.init(key, value, comment: comment)
        isNumber = CatalogMetadata.isNumeral(value)
    }

    /// Whether a value may stand without quotes: users can set `isNumber` on any text.
    var isNumeral: Bool { isNumber && CatalogMetadata.isNumeral(value) }

    private static func isNumeral(_ text: String) -> Bool {
        let digits = text.utf8.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }
        return digits && text.utf8.count <= 40 && Double(text) != nil
    }
}

/// A table in memory: columns of equal length with units, descriptions and UCDs.
///
/// Every row describes one object. Names are unique without regard to case, as FITS asks.
///
///     let catalog = try Catalog(name: "OBJECTS", columns: [
///         Column("id_str", .string(["a", "b"]), ucd: "meta.id;meta.main"),
///         Column("ra", .double([10.5, 10.7]), unit: "deg", ucd: "pos.eq.ra;meta.main"),
///     ])
///     try catalog.write(to: "objects.fits")
///     let same = try Catalog.read("objects.fits")
public struct Catalog: Sendable, Equatable {
    /// The name of the table (EXTNAME in FITS); may be empty.
    public var name: String
    public private(set) var columns: [Column]
    public var metadata: [CatalogMetadata]
    /// Columns that the file has but `Catalog` cannot hold, with the reason: variable-length arrays, complex numbers.
    public internal(set) var skippedColumns: [SkippedColumn] = []

    /// A column that a reader left out, and why.
    public struct SkippedColumn: Sendable, Equatable {
        public var name: String
        public var reason: String
    }

    /// - Throws: `CatalogError` (`table`) for columns of unequal length, an empty name or a name used twice.
    public init(
        name: String = "", columns: [Column] = [], metadata: [CatalogMetadata] = []
    ) throws(CatalogError) {
        self.name = name
        self.columns = []
        self.metadata = metadata
        try Catalog.checkNames(columns.map(\.name))
        for column in columns { try checkLength(column, against: columns[0].count) }
        self.columns = columns
    }

    public var rowCount: Int { columns.first?.count ?? 0 }

    /// The columns without their cells.
    public var schema: [ColumnDescription] { columns.map(\.schema) }

    /// The column of exactly this name, else the one that differs from it only in case.
    public subscript(name: String) -> Column? {
        if let exact = columns.first(where: { $0.name == name }) { return exact }
        let folded = name.lowercased()
        return columns.first { $0.name.lowercased() == folded }
    }

    /// Adds a column on the right.
    /// - Throws: `CatalogError` (`table`) when its length or name does not fit.
    public mutating func append(_ column: Column) throws(CatalogError) {
        try Catalog.checkNames(columns.map(\.name) + [column.name])
        if let first = columns.first { try checkLength(column, against: first.count) }
        columns.append(column)
    }

    /// Adds the rows of another table with the same columns in the same order.
    /// - Throws: `CatalogError` (`table`) when names or types differ; the table is then unchanged.
    public mutating func append(rowsOf other: Catalog) throws(CatalogError) {
        try other.check(against: schema, path: nil)
        var joined = columns
        for index in joined.indices { _ = joined[index].values.append(other.columns[index].values) }
        columns = joined
    }

    /// The given rows, with everything else as it is.
    public func rows(_ range: Range<Int>) -> Catalog {
        var part = self
        for index in part.columns.indices { part.columns[index].values = columns[index].values[range] }
        return part
    }

    /// Throws unless names and types are those of the schema, in its order.
    func check(against schema: [ColumnDescription], path: String?) throws(CatalogError) {
        guard columns.count == schema.count else {
            throw CatalogError(
                .table, path: path, "a block has \(columns.count) columns, the table has \(schema.count)")
        }
        for (column, expected) in zip(columns, schema) {
            guard column.name == expected.name else {
                throw CatalogError(
                    .table, path: path, column: expected.name, "a block has the column '\(column.name)' in its place")
            }
            guard expected.type.holds(column.values.type) else {
                throw CatalogError(
                    .table, path: path, column: expected.name,
                    "a block holds \(column.values.type), the table \(expected.type)")
            }
        }
    }

    static func checkNames(_ names: [String], path: String? = nil) throws(CatalogError) {
        var seen: Set<String> = []
        for name in names {
            guard !name.isEmpty else { throw CatalogError(.table, path: path, "a column has an empty name") }
            guard seen.insert(name.lowercased()).inserted else {
                throw CatalogError(.table, path: path, column: name, "the name is used twice (case does not count)")
            }
        }
    }

    private func checkLength(_ column: Column, against rows: Int) throws(CatalogError) {
        switch column.values {
        case .floatVector(let cells, let width):
            try Catalog.checkVector(column.name, cells.count, width)
        case .doubleVector(let cells, let width):
            try Catalog.checkVector(column.name, cells.count, width)
        default: break
        }
        guard column.count == rows else {
            throw CatalogError(
                .table, column: column.name, "the column has \(column.count) rows, the first has \(rows)")
        }
    }

    private static func checkVector(_ name: String, _ cells: Int, _ width: Int) throws(CatalogError) {
        guard width > 0, cells % width == 0 else {
            throw CatalogError(.table, column: name, "\(cells) values do not make rows of width \(width)")
        }
    }
}
