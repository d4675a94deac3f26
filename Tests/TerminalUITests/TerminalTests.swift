import Foundation
import TerminalUI
import Testing

@Suite(.serialized) struct TerminalTests {
    private static func modes(_ descriptor: Int32) -> [UInt32] {
        var modes = termios()
        tcgetattr(descriptor, &modes)
        return [modes.c_iflag, modes.c_oflag, modes.c_lflag, modes.c_cflag]
    }

    private static func read(_ descriptor: Int32) -> String {
        var text = ""
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&polled, 1, 200) > 0, polled.revents & Int16(POLLIN) != 0 {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = Foundation.read(descriptor, &buffer, buffer.count)
            if count <= 0 { break }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return text
    }

    @Test func leavingRestoresModesScreenAndCursor() throws {
        let ends = try PseudoTerminal(TerminalSize(columns: 80, rows: 24))
        defer { withExtendedLifetime(ends) {} }
        let (master, slave) = (ends.person, ends.program)
        let before = Self.modes(slave)
        let terminal = try Terminal(descriptor: slave)
        #expect(Self.modes(slave) != before)
        #expect(terminal.size == TerminalSize(columns: 80, rows: 24))
        terminal.write("\u{1B}[5;5Hhello")
        let shown = Self.read(master)
        #expect(shown.contains("\u{1B}[?1049h") && shown.contains("hello"))
        terminal.leave()
        #expect(Self.modes(slave) == before)
        let left = Self.read(master)
        #expect(left.contains("\u{1B}[?25h") && left.hasSuffix("\u{1B}[?1049l"))
        terminal.leave()
        #expect(Self.read(master).isEmpty, "once is enough")
    }

    @Test func inputWakingAndTimeout() throws {
        let ends = try PseudoTerminal(TerminalSize(columns: 80, rows: 24))
        defer { withExtendedLifetime(ends) {} }
        let (master, slave) = (ends.person, ends.program)
        let terminal = try Terminal(descriptor: slave)
        defer { terminal.leave() }
        guard case .timeout = terminal.wait(milliseconds: 10) else {
            Issue.record("nothing happened")
            return
        }
        Terminal.wake()
        guard case .woken = terminal.wait(milliseconds: 1000) else {
            Issue.record("not woken")
            return
        }
        _ = "q\r".withCString { write(master, $0, 2) }
        guard case .input(let bytes) = terminal.wait(milliseconds: 1000) else {
            Issue.record("no input")
            return
        }
        // Raw: neither waits for the end of the line nor turns CR into LF.
        #expect(bytes == Array("q\r".utf8))
    }

    @Test func whatIsNoTerminalIsRefused() throws {
        let file = open("/dev/null", O_RDWR)
        defer { close(file) }
        #expect(throws: TerminalError.self) { try Terminal(descriptor: file) }
    }
}
