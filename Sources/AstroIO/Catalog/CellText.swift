/// How the text formats spell cells: writing one cell, and collecting cells read into a column.
struct CellText {
    /// Spelling of a missing float.
    var nan: String
    /// Spelling of positive infinity.
    var infinity: String
    /// Spellings of true and false.
    var truth: (yes: String, no: String)
    /// What stands before, between and after the values of a vector.
    var vector: (open: String, separator: String, close: String)

    static let ecsv = CellText(nan: "nan", infinity: "inf", truth: ("True", "False"), vector: ("[", ",", "]"))
    static let csv = CellText(nan: "NaN", infinity: "Infinity", truth: ("True", "False"), vector: ("[", ",", "]"))
    static let votable = CellText(nan: "NaN", infinity: "+Inf", truth: ("T", "F"), vector: ("", " ", ""))

    /// Inside a JSON list, NaN and infinity are spelt as Python's and JavaScript's parsers want them.
    private static let json = CellText(
        nan: "NaN", infinity: "Infinity", truth: ("true", "false"), vector: ("[", ",", "]"))

    /// The cell as text; nil where the value is missing. Floats are as short as reads back to the same value.
    func text(_ values: ColumnValues, _ row: Int) -> String? {
        switch values {
        case .string(let cells): cells[row].flatMap { $0.isEmpty ? nil : $0 }
        case .bool(let cells): cells[row].map { $0 ? truth.yes : truth.no }
        case .uint8(let cells): cells[row].map { "\($0)" }
        case .int16(let cells): cells[row].map { "\($0)" }
        case .int32(let cells): cells[row].map { "\($0)" }
        case .int64(let cells): cells[row].map { "\($0)" }
        case .float(let cells): number(cells[row])
        case .double(let cells): number(cells[row])
        case .floatVector(let cells, let width): list(cells[row * width..<(row + 1) * width])
        case .doubleVector(let cells, let width): list(cells[row * width..<(row + 1) * width])
        }
    }

    private func number<Value: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Value) -> String {
        if value.isFinite { return value.description }
        if value.isNaN { return nan }
        return value > 0 ? infinity : "-" + infinity.drop { $0 == "+" }
    }

    private func list<Value: BinaryFloatingPoint & LosslessStringConvertible>(_ cells: ArraySlice<Value>) -> String {
        let speller = vector.open == "[" ? CellText.json : self
        var text = vector.open
        for (index, value) in cells.enumerated() {
            if index > 0 { text += vector.separator }
            text += speller.number(value)
        }
        return text + vector.close
    }
}

/// Collects cells given as text into a column of one type.
struct ColumnBuilder {
    private(set) var values: ColumnValues
    private let vector: (separators: Set<UInt8>, bracketed: Bool)
    /// How many more values missing vectors may take. A header can claim any width and an empty cell costs a file one
    /// byte, so without a limit a small file could ask for all memory; values that are really there raise it.
    private var missingBudget = 1 << 25

    init(_ type: ColumnType, bracketedVectors: Bool) {
        values = .empty(type)
        vector = bracketedVectors ? ([UInt8(ascii: ",")], true) : ([0x20, 0x09, 0x0a, 0x0d], false)
    }

    /// Adds a cell; nil is a missing value. False when the text is no value of the column's type.
    mutating func append(_ text: String?) -> Bool {
        let text = text.flatMap { $0.isEmpty ? nil : $0 }
        switch values {
        case .string(var cells):
            values = .empty(.text)
            cells.append(text)
            values = .string(cells)
        case .bool(var cells):
            values = .empty(.bool)
            guard let value = ColumnBuilder.optional(text, ColumnBuilder.truth) else { return false }
            cells.append(value)
            values = .bool(cells)
        case .uint8(var cells):
            values = .empty(.uint8)
            guard let value = ColumnBuilder.optional(text, ColumnBuilder.integer(UInt8.self)) else { return false }
            cells.append(value)
            values = .uint8(cells)
        case .int16(var cells):
            values = .empty(.int16)
            guard let value = ColumnBuilder.optional(text, ColumnBuilder.integer(Int16.self)) else { return false }
            cells.append(value)
            values = .int16(cells)
        case .int32(var cells):
            values = .empty(.int32)
            guard let value = ColumnBuilder.optional(text, ColumnBuilder.integer(Int32.self)) else { return false }
            cells.append(value)
            values = .int32(cells)
        case .int64(var cells):
            values = .empty(.int64)
            guard let value = ColumnBuilder.optional(text, ColumnBuilder.integer(Int64.self)) else { return false }
            cells.append(value)
            values = .int64(cells)
        case .float(var cells):
            values = .empty(.float)
            guard let value = ColumnBuilder.optional(text, ColumnBuilder.float(Float.self)) else { return false }
            cells.append(value ?? .nan)
            values = .float(cells)
        case .double(var cells):
            values = .empty(.double)
            guard let value = ColumnBuilder.optional(text, ColumnBuilder.float(Double.self)) else { return false }
            cells.append(value ?? .nan)
            values = .double(cells)
        case .floatVector(var cells, let width):
            values = .empty(.float)
            guard appendVector(text, width, to: &cells) else { return false }
            values = .floatVector(cells, width: width)
        case .doubleVector(var cells, let width):
            values = .empty(.double)
            guard appendVector(text, width, to: &cells) else { return false }
            values = .doubleVector(cells, width: width)
        }
        return true
    }

    /// A missing cell, a value, or nil for text that is neither.
    private static func optional<Value>(_ text: String?, _ parse: (String) -> Value?) -> Value?? {
        guard let text else { return .some(nil) }
        return parse(text).map { .some($0) }
    }

    static func truth(_ text: String) -> Bool? {
        switch text {
        case "True", "true", "TRUE", "T", "t", "1": true
        case "False", "false", "FALSE", "F", "f", "0": false
        default: nil
        }
    }

    /// Decimal, or hexadecimal after `0x` as VOTable allows.
    private static func integer<Value: FixedWidthInteger>(_: Value.Type) -> (String) -> Value? {
        { text in
            if let value = Value(text) { return value }
            guard text.hasPrefix("0x") || text.hasPrefix("0X") else { return nil }
            return Value(text.dropFirst(2), radix: 16)
        }
    }

    /// Decimal numbers and the spellings of NaN and infinity that Python, Java and C use.
    static func float<Value: BinaryFloatingPoint & LosslessStringConvertible>(_: Value.Type) -> (String) -> Value? {
        { text in
            if let value = Value(text) {
                // Swift also reads C's hexadecimal floats and NaN payloads, which no table means.
                return text.utf8.contains(where: { $0 == UInt8(ascii: "x") || $0 == UInt8(ascii: "(") }) ? nil : value
            }
            return switch text.lowercased() {
            case "nan", "+nan", "-nan": Value.nan
            case "+inf", "+infinity": Value.infinity
            default: nil
            }
        }
    }

    private mutating func appendVector<Value: BinaryFloatingPoint & LosslessStringConvertible>(
        _ text: String?, _ width: Int, to cells: inout [Value]
    ) -> Bool {
        guard let text else {
            guard width <= missingBudget else { return false }
            missingBudget -= width
            cells.append(contentsOf: repeatElement(.nan, count: width))
            return true
        }
        guard let parsed = ColumnBuilder.vector(text, Value.self, vector.separators, bracketed: vector.bracketed),
            parsed.count == width
        else { return false }
        missingBudget += 64 * width
        cells.append(contentsOf: parsed)
        return true
    }

    /// The values of `[1.0, null, NaN]` (bracketed) or of `1.0 2.0`; nil when there is anything else in it.
    static func vector<Value: BinaryFloatingPoint & LosslessStringConvertible>(
        _ text: String, _: Value.Type, _ separators: Set<UInt8> = [UInt8(ascii: ",")], bracketed: Bool = true
    ) -> [Value]? {
        var bytes = Substring(text).utf8
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
        while let first = bytes.first, isSpace(first) { bytes = bytes.dropFirst() }
        while let last = bytes.last, isSpace(last) { bytes = bytes.dropLast() }
        if bracketed {
            guard bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]"), bytes.count >= 2 else {
                return nil
            }
            bytes = bytes.dropFirst().dropLast()
        }
        let parse = float(Value.self)
        var values: [Value] = []
        for part in bytes.split(omittingEmptySubsequences: !bracketed, whereSeparator: { separators.contains($0) }) {
            var part = part
            while let first = part.first, isSpace(first) { part = part.dropFirst() }
            while let last = part.last, isSpace(last) { part = part.dropLast() }
            guard let word = String(part) else { return nil }
            if bracketed, word == "null" {
                values.append(.nan)
            } else {
                guard let value = parse(word) else { return nil }
                values.append(value)
            }
        }
        return values
    }
}
