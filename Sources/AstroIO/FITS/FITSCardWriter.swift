internal import CFITSIO

/// Cards as the FITS standard wants them: 80 printable ASCII characters.
enum FITSCardWriter {
    /// Keywords that cfitsio or the writer makes itself; those of another file would contradict the new one.
    static func isStructural(_ keyword: String) -> Bool {
        let names: Set<String> = [
            "SIMPLE", "XTENSION", "BITPIX", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "BSCALE", "BZERO", "BLANK", "END",
            "CHECKSUM", "DATASUM", "EXTNAME", "EXTVER", "EXTLEVEL", "INHERIT", "TFIELDS", "THEAP", "DATAMIN", "DATAMAX",
            "BANDS", "BUNIT", "CONTINUE", "LONGSTRN", "NEXTEND", "ZHECKSUM", "ZDATASUM",
        ]
        if names.contains(keyword) { return true }
        // The tile-compression and table keywords of the standard, which are all about the bytes of the other file.
        return keyword.wholeMatch(
            of: /NAXIS\d*|Z(IMAGE|TABLE|SIMPLE|TENSION|EXTEND|BITPIX|NAXIS\d*|TILE\d+|NAME\d+|VAL\d+|CMPTYPE|MASKCMP|QUANTIZ|DITHER0|BLOCKED|PCOUNT|GCOUNT|SCALE|ZERO|BLANK)|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|DIM|BCOL)\d+|BAND\d+|FZ(ALGOR|TILE|QVALUE|METHD|DTHRSD)|MP_\w+/)
            != nil
    }

    /// The cards of 80 characters that stand for one card; none where its keyword cannot be one.
    static func lines(_ card: FITSHeader.Card) -> [String] {
        let keyword = card.keyword.uppercased()
        guard let value = card.value else { return commentary(keyword, card.comment ?? "") }
        let comment = card.comment.map(printable)
        if keyword.wholeMatch(of: /[A-Z0-9_\-]{1,8}/) == nil {
            guard card.keyword.wholeMatch(of: /[!-~]+( [!-~]+)*/) != nil, !keyword.contains("="), keyword.utf8.count <= 40
            else { return [] }
            if card.isText || !isNumberOrFlag(value) {
                return FITSTableHeader.hierarchCards(card.keyword, FITSText.encode(value), comment)
            }
            return [String("HIERARCH \(card.keyword) = \(value)".prefix(80))]
        }
        let name = keyword.padding(to: 8) + "= "
        if !card.isText, isNumberOrFlag(value), value.utf8.count <= 70 {
            let right = String(repeating: " ", count: max(0, 20 - value.utf8.count)) + value
            return [withComment(name + right, comment)]
        }
        return text(name, FITSText.encode(value), comment)
    }

    // MARK: - Kinds of cards

    private static func text(_ name: String, _ value: [UInt8], _ comment: String?) -> [String] {
        var quoted = value.map { $0 == UInt8(ascii: "'") ? "''" : String(UnicodeScalar($0)) }
        if quoted.reduce(0, { $0 + $1.utf8.count }) <= 68 {
            let plain = quoted.joined()
            return [withComment(name + "'" + plain.padding(to: 8) + "'", comment)]
        }
        // Long texts go on in CONTINUE cards, each of which says by '&' that there is more.
        var lines: [String] = []
        var head = name
        while !quoted.isEmpty {
            var piece = ""
            while let next = quoted.first, piece.utf8.count + next.utf8.count <= 67 {
                piece += next
                quoted.removeFirst()
            }
            lines.append(head + "'" + piece + (quoted.isEmpty ? "'" : "&'"))
            head = "CONTINUE  "
        }
        if let last = lines.popLast() { lines.append(withComment(last, comment)) }
        return lines
    }

    private static func commentary(_ keyword: String, _ text: String) -> [String] {
        guard keyword.isEmpty || keyword.wholeMatch(of: /[A-Z0-9_\-]{1,8}/) != nil else { return [] }
        // A card that looks like a value but has none is written as a comment of that name.
        var rest = Array(printable(text).utf8)
        var lines: [String] = []
        repeat {
            lines.append(keyword.padding(to: 8) + String(decoding: rest.prefix(72), as: UTF8.self))
            rest.removeFirst(min(72, rest.count))
        } while !rest.isEmpty
        return lines
    }

    private static func withComment(_ line: String, _ comment: String?) -> String {
        guard let comment, !comment.isEmpty, line.utf8.count < 76 else { return line }
        let start = line.padding(to: 30) + " / "
        return String((start + comment).prefix(80))
    }

    /// A value that FITS allows without quotes: integer, real, complex or logical.
    static func isNumberOrFlag(_ value: String) -> Bool {
        value.wholeMatch(of: /[+\-]?(\d+\.?\d*|\.\d+)([EeDd][+\-]?\d+)?|T|F|\([0-9+\-.EeDd]+ *, *[0-9+\-.EeDd]+\)/) != nil
    }

    private static func printable(_ text: String) -> String {
        FITSText.encoded(text.replacing("\n", with: " ").replacing("\t", with: " "))
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - utf8.count))
    }
}
