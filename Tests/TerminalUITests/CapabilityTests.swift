import TerminalUI
import Testing

@Suite struct CapabilityTests {
    static let cases: [([String: String], [Int]?, Graphics, ColourDepth)] = [
        (["TERM": "xterm-kitty", "LANG": "en_US.UTF-8", "KITTY_WINDOW_ID": "1"], nil, .kitty, .trueColour),
        (["TERM": "xterm-256color", "LANG": "C.UTF-8", "TERM_PROGRAM": "iTerm.app"], [62, 4], .iterm, .trueColour),
        (["TERM": "xterm-256color", "LANG": "C.UTF-8"], [63, 4, 22], .sixel, .palette256),
        (["TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor"], [62, 22], .blocks, .trueColour),
        (
            ["TERM": "tmux-256color", "LANG": "C.UTF-8", "TMUX": "/tmp/x", "KITTY_WINDOW_ID": "1"], [1, 2], .blocks,
            .palette256
        ),
        (["TERM": "screen", "LC_ALL": "de_DE.utf8"], nil, .blocks, .palette16),
        (["TERM": "xterm-256color", "LC_ALL": "C", "LANG": "C.UTF-8"], nil, .ascii, .palette256),
        (["TERM": "vt220", "LANG": "C.UTF-8"], nil, .ascii, .none),
        (["TERM": "xterm-256color", "LANG": "C.UTF-8", "NO_COLOR": "1"], nil, .ascii, .none),
    ]

    @Test("The best that the terminal can do is found", arguments: cases)
    func detection(environment: [String: String], attributes: [Int]?, graphics: Graphics, colours: ColourDepth) {
        let found = TerminalCapabilities(environment: environment, attributes: attributes)
        #expect(found.graphics == graphics)
        #expect(found.colours == colours)
        let asked = TerminalCapabilities(environment: environment, attributes: attributes, graphics: Graphics.none)
        #expect(asked.graphics == .none)
    }
}
