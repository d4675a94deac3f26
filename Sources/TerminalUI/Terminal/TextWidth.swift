/// How many columns of a terminal text takes, by Unicode's East Asian Width (UAX #11): 0 for marks that stand on the character
/// before, 2 for wide characters and pictographs, 1 for others.
public enum TextWidth {
    public static func of(_ character: Character) -> Int {
        let scalars = character.unicodeScalars
        guard let first = scalars.first else { return 0 }
        if first.value < 0x300 { return isControl(first) ? 0 : 1 }
        if scalars.count > 1, scalars.contains(where: { $0.value == 0xFE0F }) { return 2 }
        switch first.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: return isWide(first.value) ? 2 : 1
        }
    }

    public static func of(_ text: String) -> Int { text.reduce(0) { $0 + of($1) } }

    /// The text without what could steer a terminal: names come from strangers' files.
    public static func harmless(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { isControl($0) || isDirectional($0) }) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(isControl(scalar) || isDirectional(scalar) ? "?" : scalar) }
        return String(result)
    }

    /// The text in at most this many columns, with an ellipsis where something was left out.
    public static func fit(_ text: String, _ columns: Int, ellipsis: String = "…") -> String {
        if of(text) <= columns { return text }
        var (result, width) = ("", 0)
        let room = columns - of(ellipsis)
        guard room >= 0 else { return "" }
        for character in text {
            let next = of(character)
            if width + next > room { break }
            result.append(character)
            width += next
        }
        return result + ellipsis
    }

    /// Lines of at most this many columns, broken between words where possible.
    public static func wrap(_ text: String, _ columns: Int) -> [String] {
        guard columns > 0 else { return [] }
        var lines: [String] = []
        var (line, width) = ("", 0)
        for word in text.split(separator: " ", omittingEmptySubsequences: true) {
            var rest = String(word)
            if width > 0, width + 1 + of(rest) <= columns {
                line += " " + rest
                width += 1 + of(rest)
                continue
            }
            if width > 0 { lines.append(line) }
            while of(rest) > columns {
                var (part, taken) = ("", 0)
                while let next = rest.first, taken + of(next) <= columns {
                    part.append(rest.removeFirst())
                    taken += of(next)
                }
                if part.isEmpty { part.append(rest.removeFirst()) }
                lines.append(part)
            }
            (line, width) = (rest, of(rest))
        }
        if width > 0 { lines.append(line) }
        return lines
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
    }

    /// Marks that would reorder the rest of the line.
    private static func isDirectional(_ scalar: Unicode.Scalar) -> Bool {
        (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    }

    private static func isWide(_ value: UInt32) -> Bool {
        switch value {
        case 0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C,
            0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
            0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }
}
