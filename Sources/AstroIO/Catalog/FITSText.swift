/// Text in FITS headers and tables, where only the 95 printable ASCII characters are allowed.
///
/// Everything else is written as `\uXXXX` (UTF-16, as in JSON), so that files are valid and nothing is lost; a text
/// that already contains such a sequence has its backslash escaped. Trailing blanks do not count in FITS, so a last
/// blank is escaped too.
enum FITSText {
    private static let backslash = UInt8(ascii: "\\")

    /// Printable ASCII bytes that stand for the text.
    static func encode(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        let plain = bytes.allSatisfy { (0x20...0x7e).contains($0) && $0 != backslash } && bytes.last != 0x20
        if plain { return bytes }
        var encoded: [UInt8] = []
        let units = Array(text.utf16)
        for (index, unit) in units.enumerated() {
            let isLast = index == units.count - 1
            let printable = (0x20...0x7e).contains(unit)
            let looksEscaped =
                unit == UInt16(backslash) && escape(units[index...].prefix(6).map { UInt8(clamping: $0) })
            if printable, !looksEscaped, !(isLast && unit == 0x20) {
                encoded.append(UInt8(unit))
            } else {
                let digits = String(unit, radix: 16)
                encoded +=
                    Array("\\u".utf8) + [UInt8](repeating: 0x30, count: 4 - digits.utf8.count) + Array(digits.utf8)
            }
        }
        return encoded
    }

    /// `encode` as a String, for header values.
    static func encoded(_ text: String) -> String { String(decoding: encode(text), as: UTF8.self) }

    /// The text that the bytes of a cell stand for: as `text`, with the escapes resolved.
    static func decode(_ bytes: ArraySlice<UInt8>) -> String? { text(bytes).map(decoded) }

    /// The bytes up to a NUL and without trailing blanks; nil when nothing is left.
    /// Bytes beyond ASCII, which the standard forbids, are taken as UTF-8 or else Latin-1.
    static func text(_ bytes: ArraySlice<UInt8>) -> String? {
        var cell = bytes.prefix { $0 != 0 }
        while cell.last == 0x20 { cell = cell.dropLast() }
        guard !cell.isEmpty else { return nil }
        if let text = String(validating: cell, as: UTF8.self) { return text }
        var latin = String.UnicodeScalarView()
        latin.append(contentsOf: cell.map { Unicode.Scalar($0) })
        return String(latin)
    }

    /// The text with its escapes resolved.
    static func decoded(_ text: String) -> String {
        guard text.utf8.contains(backslash) else { return text }
        let bytes = Array(text.utf8)
        var units: [UInt16] = []
        var plain: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if bytes[position] == backslash, escape(Array(bytes[position...].prefix(6))) {
                units += Array(String(decoding: plain, as: UTF8.self).utf16)
                plain.removeAll()
                units.append(
                    UInt16(String(decoding: bytes[(position + 2)..<(position + 6)], as: UTF8.self), radix: 16) ?? 0xfffd
                )
                position += 6
            } else {
                plain.append(bytes[position])
                position += 1
            }
        }
        units += Array(String(decoding: plain, as: UTF8.self).utf16)
        return String(decoding: units, as: UTF16.self)
    }

    /// Whether the bytes are `\u` and four hexadecimal digits.
    private static func escape(_ bytes: [UInt8]) -> Bool {
        bytes.count == 6 && bytes[0] == backslash && bytes[1] == UInt8(ascii: "u")
            && bytes[2...].allSatisfy { Unicode.Scalar($0).properties.isASCIIHexDigit }
    }
}
