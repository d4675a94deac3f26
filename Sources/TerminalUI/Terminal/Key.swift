/// What came from the keyboard, or from the terminal in answer to a question.
public enum Key: Sendable, Hashable {
    case character(Character)
    /// Ctrl with a letter, in lower case.
    case control(Character)
    /// Alt (Meta) with a character.
    case alt(Character)
    case enter, escape, backspace, delete, tab
    case up, down, left, right, home, end, pageUp, pageDown
    case paste(String)
    /// Primary Device Attributes: what the terminal says it can do. 4 is Sixel.
    case attributes([Int])
}
