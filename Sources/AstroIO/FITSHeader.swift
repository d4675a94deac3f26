/// The cards of a FITS header, in order.
///
/// Values are kept as text as they stand in the card; the accessors convert.
public struct FITSHeader: Sendable, Equatable {
    /// One card: `KEYWORD = value / comment`, or COMMENT, HISTORY and blank cards, which have a text only.
    public struct Card: Sendable, Equatable {
        public var keyword: String
        /// As in the card, text without its quotes; nil for commentary cards.
        public var value: String?
        /// Whether the value is text (was in quotes).
        public var isText: Bool
        public var comment: String?

        public init(_ keyword: String, value: String?, isText: Bool = false, comment: String? = nil) {
            self.keyword = keyword
            self.value = value
            self.isText = isText
            self.comment = comment
        }
    }

    public var cards: [Card]

    public init(cards: [Card] = []) { self.cards = cards }

    /// The first card of a keyword (upper case).
    public subscript(_ keyword: String) -> Card? { cards.first { $0.keyword == keyword } }

    /// The value as text, without trailing blanks; nil when absent or empty.
    public func text(_ keyword: String) -> String? {
        guard let value = self[keyword]?.value else { return nil }
        var trimmed = Substring(value)
        while trimmed.last == " " { trimmed.removeLast() }
        return trimmed.isEmpty ? nil : String(trimmed)
    }

    /// The value as a number; FITS also allows D as the exponent's letter.
    public func number(_ keyword: String) -> Double? {
        guard let text = text(keyword) else { return nil }
        let value = Double(text) ?? Double(text.replacing("D", with: "E").replacing("d", with: "e"))
        return value?.isFinite == true ? value : nil
    }

    public func integer(_ keyword: String) -> Int? {
        guard let text = text(keyword) else { return nil }
        return Int(text) ?? number(keyword).flatMap { Int(exactly: $0) }
    }

    public func flag(_ keyword: String) -> Bool? {
        switch text(keyword) {
        case "T": true
        case "F": false
        default: nil
        }
    }

    /// Sets a card, replacing the first of its keyword.
    public mutating func set(_ card: Card) {
        if let index = cards.firstIndex(where: { $0.keyword == card.keyword }) {
            cards[index] = card
        } else {
            cards.append(card)
        }
    }

    public mutating func remove(_ keyword: String) { cards.removeAll { $0.keyword == keyword } }
}
