/// One FIELD of a VOTable: its column, its size in the binary serialisations, its missing value.
struct VOTableField {
    enum Primitive: String {
        case boolean, bit, unsignedByte, short, int, long, char, unicodeChar, float, double, floatComplex, doubleComplex

        /// Bytes of one element in BINARY and BINARY2 (a `bit` is counted by eight).
        var size: Int {
            switch self {
            case .boolean, .bit, .unsignedByte, .char: 1
            case .short, .unicodeChar: 2
            case .int, .float: 4
            case .long, .double, .floatComplex: 8
            case .doubleComplex: 16
            }
        }
    }

    var schema: ColumnDescription
    var primitive: Primitive
    /// Elements in a cell; nil where each cell brings its own number.
    var count: Int?
    /// Why the column cannot be held; nil when it can.
    var skipReason: String?
    /// VALUES null="…": the text of the number that means missing.
    var null: String?

    /// - Throws: `CatalogError` for a missing name or an unknown datatype.
    init(_ attributes: [String: String], path: String) throws(CatalogError) {
        guard let name = attributes["name"] ?? attributes["ID"], !name.isEmpty else {
            throw CatalogError(.format, path: path, "a FIELD has no name")
        }
        guard let primitive = attributes["datatype"].flatMap({ Primitive(rawValue: $0) }) else {
            throw CatalogError(
                .format, path: path, column: name, "'\(attributes["datatype"] ?? "")' is no VOTable datatype")
        }
        self.primitive = primitive
        schema = ColumnDescription(
            name, .text, unit: attributes["unit"], ucd: attributes["ucd"],
            format: DisplayFormat(votablePrecision: attributes["precision"], width: attributes["width"]))
        guard let size = VOTableField.elements(attributes["arraysize"]) else {
            throw CatalogError(.format, path: path, column: name, "the arraysize is malformed")
        }
        count = size.count
        let isText = primitive == .char || primitive == .unicodeChar
        if isText {
            if size.dimensions > 1 { skipReason = "its cells hold several texts" }
        } else if size.count == nil {
            skipReason = "its cells are arrays of variable length"
        } else if size.count == 0 {
            skipReason = "its cells are empty"
        }
        let width = size.count ?? 1
        switch primitive {
        case .char, .unicodeChar: schema.type = .text
        case .boolean, .bit: schema.type = .bool
        case .unsignedByte: schema.type = .uint8
        case .short: schema.type = .int16
        case .int: schema.type = .int32
        case .long: schema.type = .int64
        case .float: schema.type = width == 1 ? .float : .floatVector(width: width)
        case .double: schema.type = width == 1 ? .double : .doubleVector(width: width)
        case .floatComplex, .doubleComplex: skipReason = "its cells are complex numbers"
        }
        if !isText, width > 1, skipReason == nil {
            switch primitive {
            case .unsignedByte, .short, .int: schema.type = .doubleVector(width: width)
            case .long: skipReason = "its cells are vectors of 64-bit integers"
            case .boolean, .bit: skipReason = "its cells are vectors of truth values"
            default: break
            }
        }
    }

    /// `*`, `8`, `8*`, `2x3`, `2x*`: the number of elements (nil if variable) and of dimensions.
    private static func elements(_ arraysize: String?) -> (count: Int?, dimensions: Int)? {
        guard let arraysize else { return (1, 0) }
        var total: Int? = 1
        let parts = arraysize.split(separator: "x", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part.last == "*" {
                guard index == parts.count - 1, part.count == 1 || Int(part.dropLast()) != nil else { return nil }
                total = nil
            } else {
                guard let number = Int(part), number >= 0 else { return nil }
                let (product, overflow) = (total ?? 0).multipliedReportingOverflow(by: number)
                guard !overflow, product <= 1 << 31 else { return nil }
                total = product
            }
        }
        return (total, parts.count)
    }
}
