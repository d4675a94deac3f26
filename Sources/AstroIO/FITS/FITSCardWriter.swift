internal import CFITSIO

/// Cards as the FITS standard wants them: 80 printable ASCII characters.
enum FITSCardWriter {
    /// Keywords of the form of a file, which the writer makes itself.
    private static let structural: Set<String> = [
        "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "BSCALE", "BZERO", "BLANK",
        "END",
        "CHECKSUM", "DATASUM", "EXTNAME", "EXTVER", "EXTLEVEL", "INHERIT", "TFIELDS", "THEAP", "DATAMIN", "DATAMAX",
        "BANDS",
        "BUNIT", "CONTINUE", "LONGSTRN", "NEXTEND", "ZHECKSUM", "ZDATASUM", "ZIMAGE", "ZTABLE", "ZSIMPLE", "ZTENSION",
        "ZEXTEND", "ZBITPIX", "ZNAXIS", "ZCMPTYPE", "ZMASKCMP", "ZQUANTIZ", "ZDITHER0", "ZBLOCKED", "ZPCOUNT",
        "ZGCOUNT",
        "ZSCALE", "ZZERO", "ZBLANK", "FZALGOR", "FZTILE", "FZQVALUE", "FZMETHD", "FZDTHRSD",
    ]
    /// The same, with a number behind them.
    private static let numbered: Set<Substring> = [
        "NAXIS", "ZNAXIS", "ZTILE", "ZNAME", "ZVAL", "TTYPE", "TFORM", "TUNIT", "TNULL", "TSCAL", "TZERO", "TDISP",
        "TDIM",
        "TBCOL", "BAND",
    ]

    /// Keywords that cfitsio or the writer makes itself; those of another file would contradict the new one.
    static func isStructural(_ keyword: String) -> Bool {
        if structural.contains(keyword) || keyword.hasPrefix("MP_") { return true }
        let part = IndexedKeyword(keyword)
        return part.first != nil && !part.isPair && numbered.contains(part.stem)
    }

    private static func isStandard(_ keyword: String) -> Bool {
        (1...8).contains(keyword.utf8.count)
            && keyword.utf8.allSatisfy {
                (0x41...0x5a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5f || $0 == 0x2d
            }
    }

    /// Words of printable characters with single blanks between them: what HIERARCH keywords may be.
    private static func isHierarchical(_ keyword: String) -> Bool {
        keyword.utf8.count <= 40 && !keyword.isEmpty
            && keyword.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "=") }
            && keyword.split(separator: " ", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
    }

    /// The cards of 80 characters that stand for one card; none where its keyword cannot be one.
    static func lines(_ card: FITSHeader.Card) -> [String] {
        let keyword = card.keyword.uppercased()
        guard let value = card.value else { return commentary(keyword, card.comment ?? "") }
        let comment = card.comment.map(printable)
        if !isStandard(keyword) {
            guard isHierarchical(card.keyword) else { return [] }
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
        guard keyword.isEmpty || isStandard(keyword) else { return [] }
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
        if value == "T" || value == "F" { return true }
        if value.hasPrefix("("), value.hasSuffix(")") {
            let parts = value.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
            return parts.count == 2 && parts.allSatisfy { isReal($0.drop { $0 == " " }) }
        }
        return isReal(Substring(value))
    }

    /// Digits with at most one point, a sign before them and an exponent behind them.
    private static func isReal(_ text: Substring) -> Bool {
        var bytes = text.utf8[...]
        func sign() { if let byte = bytes.first, byte == 0x2b || byte == 0x2d { bytes.removeFirst() } }
        func digits() -> Int {
            let count = bytes.prefix { (0x30...0x39).contains($0) }.count
            bytes.removeFirst(count)
            return count
        }
        sign()
        var count = digits()
        if bytes.first == 0x2e {
            bytes.removeFirst()
            count += digits()
        }
        guard count > 0 else { return false }
        if let byte = bytes.first, "EeDd".utf8.contains(byte) {
            bytes.removeFirst()
            sign()
            guard digits() > 0 else { return false }
        }
        return bytes.isEmpty
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
