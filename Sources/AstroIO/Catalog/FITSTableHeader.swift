/// The keywords of a table HDU.
struct FITSTableHeader {
    struct Card {
        var name: String
        /// Without quotes; empty for a card without value.
        var value: String
        var comment: String
        var isText: Bool
    }

    private(set) var cards: [Card] = []
    private var index: [String: Int] = [:]

    mutating func append(_ card: Card) {
        // The first of two cards counts, as in cfitsio.
        if index[card.name] == nil { index[card.name] = cards.count }
        cards.append(card)
    }

    private func value(_ name: String) -> String? { index[name].map { cards[$0].value } }

    /// A text value with its escapes resolved; nil where the card is missing.
    func text(_ name: String) -> String? { value(name).map { FITSText.decoded($0) } }

    func integer(_ name: String) -> Int? { value(name).flatMap { Int($0.trimmingSpaces()) } }

    func double(_ name: String) -> Double? {
        value(name).flatMap { Double($0.trimmingSpaces().replacing("D", with: "E")) }
    }

    /// What the cards say about the table beyond its structure: every other card with a value.
    var metadata: [CatalogMetadata] {
        cards.compactMap { card in
            guard !FITSTableHeader.isStructural(card.name), !card.name.isEmpty, !card.value.isEmpty else { return nil }
            let comment = FITSText.decoded(card.comment)
            let note = comment.isEmpty ? nil : comment
            return card.isText
                ? CatalogMetadata(card.name, FITSText.decoded(card.value), comment: note)
                : CatalogMetadata(card.name, unquoted: card.value, comment: note)
        }
    }

    private static let structural: Set<String> = [
        "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "THEAP", "EXTNAME", "EXTEND",
        "CHECKSUM", "DATASUM", "END", "CONTINUE", "COMMENT", "HISTORY", "LONGSTRN", "BLANK", "BSCALE", "BZERO",
    ]
    private static let structuralRoots = [
        "NAXIS", "TTYPE", "TFORM", "TUNIT", "TDISP", "TNULL", "TCOMM", "TDESC", "TUCD", "TSCAL", "TZERO", "TDIM",
        "TBCOL",
    ]

    /// Whether a keyword belongs to the structure of the table, so that users may not set it.
    static func isStructural(_ name: String) -> Bool {
        if structural.contains(name) { return true }
        let root = name.prefix { !$0.isNumber }
        return root.count < name.count && structuralRoots.contains(String(root))
            && name.dropFirst(root.count).allSatisfy(\.isNumber)
    }

    /// The card of a number, in the columns that FITS fixes for it (section 4.2.3).
    static func numberCard(_ name: String, _ value: String, _ comment: String?) -> String {
        let room = max(0, 20 - value.utf8.count)
        var card =
            name.utf8.count <= 8
            ? name + String(repeating: " ", count: 8 - name.utf8.count) + "= " + String(repeating: " ", count: room)
                + value
            : "HIERARCH \(name) = \(value)"
        if let comment, !comment.isEmpty, card.utf8.count < 77 { card += " / \(comment)" }
        return String(card.prefix(80))
    }

    /// The cards of a text under a long name: `HIERARCH name = 'text'`, and as many CONTINUE cards as it needs
    /// (FITS standard 4.0, section 4.2.1.2). The comment is kept where it fits on the last card.
    static func hierarchCards(_ name: String, _ text: [UInt8], _ comment: String?) -> [String] {
        var cards: [String] = []
        var card = "HIERARCH \(name) = '"
        for byte in text {
            let next = byte == UInt8(ascii: "'") ? "''" : String(UnicodeScalar(byte))
            // Room for `&'` must be left, since more may follow.
            if card.utf8.count + next.utf8.count > 78 {
                cards.append(card + "&'")
                card = "CONTINUE  '"
            }
            card += next
        }
        card += "'"
        if let comment, !comment.isEmpty, card.utf8.count + 3 + comment.utf8.count <= 80 { card += " / \(comment)" }
        return cards + [card]
    }
}
