/// How pictures reach the screen.
public enum Graphics: String, Sendable, CaseIterable {
    /// Kitty's protocol: true pixels.
    case kitty
    /// iTerm2's inline images: true pixels.
    case iterm
    /// DEC Sixel: pixels in 256 colours.
    case sixel
    /// Half and quarter blocks in colour: two to four picture elements a character.
    case blocks
    /// Letters whose ink follows the picture.
    case ascii
    /// No picture.
    case none
}

/// How many colours the terminal has.
public enum ColourDepth: Sendable, CaseIterable {
    case none, palette16, palette256, trueColour
}

/// What a terminal can show, from the environment and what the terminal answered.
public struct TerminalCapabilities: Sendable, Equatable {
    public var graphics: Graphics
    public var colours: ColourDepth
    /// Whether it takes UTF-8; otherwise ASCII only.
    public var unicode: Bool

    public init(graphics: Graphics, colours: ColourDepth, unicode: Bool) {
        self.graphics = graphics
        self.colours = colours
        self.unicode = unicode
    }

    /// - Parameters:
    ///   - attributes: the answer to Primary Device Attributes (`CSI c`); nil when none came.
    ///   - graphics: what the user asked for, instead of what is found.
    public init(environment: [String: String], attributes: [Int]?, graphics wanted: Graphics? = nil) {
        let term = environment["TERM"] ?? ""
        let program = environment["TERM_PROGRAM"] ?? environment["LC_TERMINAL"] ?? ""
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let isMultiplexer =
            environment["TMUX"] != nil || ["screen", "tmux"].contains { term.hasPrefix($0) }
        unicode = ["utf-8", "utf8"].contains { locale.lowercased().contains($0) }

        let isKitty = environment["KITTY_WINDOW_ID"] != nil || term.contains("kitty") || term.contains("ghostty")
        let isITerm = ["iTerm.app", "iTerm2", "WezTerm"].contains(program)
        if environment["NO_COLOR"].map({ !$0.isEmpty }) ?? false || term.hasPrefix("vt") {
            colours = .none
        } else if ["truecolor", "24bit"].contains(environment["COLORTERM"] ?? "") || term.contains("direct")
            || (!isMultiplexer && (isKitty || isITerm))
        {
            colours = .trueColour
        } else {
            colours = term.contains("256color") ? .palette256 : .palette16
        }

        if let wanted {
            graphics = wanted
        } else if attributes?.contains(4) ?? false, !isKitty || isMultiplexer, !isITerm || isMultiplexer {
            graphics = .sixel
        } else if !isMultiplexer, isKitty {
            // Multiplexers do not pass the pictures of Kitty and iTerm2 on.
            graphics = .kitty
        } else if !isMultiplexer, isITerm {
            graphics = .iterm
        } else {
            graphics = unicode && colours != .none ? .blocks : .ascii
        }
    }
}
