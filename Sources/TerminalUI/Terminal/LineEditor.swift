/// One line of text that is being written.
public struct LineEditor: Sendable, Equatable {
    public private(set) var text: [Character]
    /// Characters before the cursor.
    public private(set) var cursor: Int
    private static let longest = 500

    public init(_ text: String = "") {
        self.text = Array(text)
        cursor = self.text.count
    }

    public var string: String { String(text) }

    /// - Returns: whether the key meant something.
    @discardableResult
    public mutating func handle(_ key: Key) -> Bool {
        switch key {
        case .character(let character): insert([character])
        case .paste(let pasted):
            insert(pasted.map { $0.isNewline || $0 == "\t" ? " " : $0 }.filter { TextWidth.of($0) > 0 })
        case .backspace:
            guard cursor > 0 else { return true }
            cursor -= 1
            text.remove(at: cursor)
        case .delete: if cursor < text.count { text.remove(at: cursor) }
        case .left: cursor = max(cursor - 1, 0)
        case .right: cursor = min(cursor + 1, text.count)
        case .home, .control("a"): cursor = 0
        case .end, .control("e"): cursor = text.count
        case .control("u"):
            text.removeFirst(cursor)
            cursor = 0
        case .control("k"): text.removeLast(text.count - cursor)
        case .control("w"):
            while cursor > 0, text[cursor - 1] == " " { remove() }
            while cursor > 0, text[cursor - 1] != " " { remove() }
        default: return false
        }
        return true
    }

    private mutating func insert(_ characters: [Character]) {
        let characters = characters.prefix(max(Self.longest - text.count, 0))
        // A combining mark joins the character before it.
        var string = String(text[..<cursor])
        string.append(contentsOf: characters)
        let before = Array(string)
        text = before + text[cursor...]
        cursor = before.count
    }

    private mutating func remove() {
        cursor -= 1
        text.remove(at: cursor)
    }
}
