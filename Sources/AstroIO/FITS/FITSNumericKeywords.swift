/// Keywords whose numbers cfitsio reads without asking whether they are some.
enum FITSNumericKeywords {
    private static let plain: Set<String> = [
        "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "BSCALE", "BZERO", "BLANK", "TFIELDS", "THEAP", "ZBITPIX", "ZNAXIS",
        "ZBLANK",
        "ZSCALE", "ZZERO", "ZDITHER0", "ZPCOUNT", "ZGCOUNT",
    ]
    private static let numbered: Set<Substring> = ["NAXIS", "ZNAXIS", "ZTILE", "ZVAL", "TSCAL", "TZERO", "TNULL"]

    /// The first keyword whose value is no number, or has more digits than any: cfitsio 4.2 puts it into an error message that
    /// is too short for it.
    static func invalid(_ header: FITSHeader) -> String? {
        for card in header.cards {
            let part = IndexedKeyword(card.keyword)
            guard plain.contains(card.keyword) || (part.first != nil && !part.isPair && numbered.contains(part.stem))
            else {
                continue
            }
            let value = (card.value ?? "").replacing("D", with: "E").replacing("d", with: "e")
            if card.isText || value.utf8.count > 30 || Double(value) == nil { return card.keyword }
        }
        return nil
    }

    /// The first keyword about sizes that stands twice or whose value is no plain integer: cfitsio reads the digits before a
    /// blank, and finds the first or the second card depending on where it read last.
    static func doubtful(_ header: FITSHeader) -> String? {
        let plain: Set<String> = ["BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "THEAP", "ZBITPIX", "ZNAXIS"]
        let numbered: Set<Substring> = ["NAXIS", "ZNAXIS", "ZTILE"]
        let unique: Set<Substring> = ["TFORM", "TTYPE", "ZVAL", "ZNAME"]
        var seen: Set<String> = []
        for card in header.cards {
            let part = IndexedKeyword(card.keyword)
            let isNumbered = part.first != nil && !part.isPair
            let isSize = plain.contains(card.keyword) || (isNumbered && numbered.contains(part.stem))
            guard isSize || card.keyword == "ZCMPTYPE" || (isNumbered && unique.contains(part.stem)) else { continue }
            if !seen.insert(card.keyword).inserted { return card.keyword }
            if isSize && (card.isText || card.value.flatMap({ Int($0) }) == nil) { return card.keyword }
        }
        return nil
    }
}
