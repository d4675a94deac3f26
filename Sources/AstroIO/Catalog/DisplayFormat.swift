/// How a program should show the numbers of a column, in a form that every table format can express.
public struct DisplayFormat: Sendable, Equatable {
    public enum Style: Sendable {
        /// Text.
        case text
        /// Decimal integer.
        case integer
        /// Hexadecimal integer.
        case hexadecimal
        /// Digits after the point are fixed: 10.684710.
        case fixed
        /// Power of ten: 1.0685e+01.
        case exponential
        /// Whichever of the two is shorter.
        case general
    }

    public var style: Style
    /// Least number of characters; nil when it does not matter.
    public var width: Int?
    /// Digits after the point (`fixed`, `exponential`) or significant digits (`general`).
    public var digits: Int?

    public init(_ style: Style, width: Int? = nil, digits: Int? = nil) {
        self.style = style
        self.width = width
        self.digits = digits
    }

    /// `digits` digits after the point.
    public static func fixed(_ digits: Int) -> DisplayFormat { DisplayFormat(.fixed, digits: digits) }
    /// Power of ten with `digits` digits after the point.
    public static func exponential(_ digits: Int) -> DisplayFormat { DisplayFormat(.exponential, digits: digits) }
    /// An integer of at least `width` characters.
    public static func integer(_ width: Int) -> DisplayFormat { DisplayFormat(.integer, width: width) }

    // MARK: - FITS TDISPn (FITS standard 4.0, table 20)

    /// The value of TDISPn, such as `F12.6`. Where no width is given, one that holds the digits is stated.
    var tdisp: String {
        let digits = self.digits ?? 6
        return switch style {
        case .text: "A\(width ?? 16)"
        case .integer: "I\(width ?? 11)"
        case .hexadecimal: "Z\(width ?? 8)"
        case .fixed: "F\(width ?? digits + 6).\(digits)"
        case .exponential: "E\(width ?? digits + 8).\(digits)"
        case .general: "G\(width ?? digits + 8).\(digits)"
        }
    }

    /// Reads a TDISPn value; nil when it is none of the standard's.
    init?(tdisp: String) {
        let text = tdisp.trimmingSpaces().uppercased()
        guard let letter = text.first else { return nil }
        let style: Style
        var rest = text.dropFirst()
        switch letter {
        case "A": style = .text
        case "I": style = .integer
        case "Z": style = .hexadecimal
        case "F": style = .fixed
        case "G": style = .general
        case "E", "D":
            style = .exponential
            if rest.first == "N" || rest.first == "S" { rest = rest.dropFirst() }
        default: return nil
        }
        let parts = rest.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let width = parts.first.flatMap({ Int($0) }), (1...999).contains(width) else { return nil }
        var digits: Int?
        if parts.count == 2 {
            let number = parts[1].prefix { $0.isNumber }
            guard let value = Int(number), value <= 99 else { return nil }
            digits = value
        }
        self.init(style, width: width, digits: style == .integer || style == .hexadecimal ? nil : digits)
    }

    // MARK: - Python format specification (ECSV, as astropy writes it)

    /// The specification without `%`, such as `12.6f`.
    var pythonSpecification: String {
        let precision = digits.map { ".\($0)" } ?? ""
        let width = self.width.map(String.init) ?? ""
        return switch style {
        case .text: width + "s"
        case .integer: width + "d"
        case .hexadecimal: width + "x"
        case .fixed: width + precision + "f"
        case .exponential: width + precision + "e"
        case .general: width + precision + "g"
        }
    }

    /// Reads `.6f`, `12.6f`, `%12.6f`, `{:12.6f}`; nil for anything else.
    init?(pythonSpecification: String) {
        var text = Substring(pythonSpecification)
        if text.hasPrefix("{"), text.hasSuffix("}") {
            text = text.dropFirst().dropLast()
            if text.hasPrefix(":") { text = text.dropFirst() }
        }
        if text.hasPrefix("%") { text = text.dropFirst() }
        guard let letter = text.last else { return nil }
        let style: Style
        switch letter {
        case "s": style = .text
        case "d", "i": style = .integer
        case "x", "X": style = .hexadecimal
        case "f", "F": style = .fixed
        case "e", "E": style = .exponential
        case "g", "G": style = .general
        default: return nil
        }
        let parts = text.dropLast().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        var numbers: [Int?] = [nil, nil]
        for (index, part) in parts.enumerated() where !part.isEmpty {
            guard let number = Int(part), (0...999).contains(number) else { return nil }
            numbers[index] = number
        }
        self.init(style, width: numbers[0], digits: numbers[1])
    }

    // MARK: - VOTable (width and precision attributes, VOTable 1.4 section 4.1)

    /// `F6` or `E4`; nil where the style has no precision.
    var votablePrecision: String? {
        guard let digits else { return nil }
        return switch style {
        case .fixed: "F\(digits)"
        case .exponential, .general: "E\(digits)"
        case .text, .integer, .hexadecimal: nil
        }
    }

    /// Reads VOTable's `precision` ("6" means F6) and `width`.
    init?(votablePrecision: String?, width: String?) {
        let width = width.flatMap { Int($0) }.flatMap { (1...999).contains($0) ? $0 : nil }
        guard let precision = votablePrecision, let first = precision.first else { return nil }
        let digits = Int(first.isLetter ? precision.dropFirst() : precision[...])
        guard let digits, (0...99).contains(digits) else { return nil }
        self.init(first == "E" ? .exponential : .fixed, width: width, digits: digits)
    }
}

extension String {
    /// Without ASCII spaces at either end.
    func trimmingSpaces() -> String {
        var rest = Substring(self)
        while rest.first == " " { rest = rest.dropFirst() }
        while rest.last == " " { rest = rest.dropLast() }
        return String(rest)
    }
}
