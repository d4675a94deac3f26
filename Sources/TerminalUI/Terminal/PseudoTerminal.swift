import CTerminal
import Foundation

/// A terminal without a window, to drive a program as a person does: in tests and benchmarks.
public final class PseudoTerminal: Sendable {
    /// The end that types and sees.
    public let person: Int32
    /// The terminal that the program gets.
    public let program: Int32

    /// - Throws: `TerminalError` when the system has none left.
    public init(_ size: TerminalSize) throws(TerminalError) {
        let cell = size.cell ?? .init(width: 0, height: 0)
        let window = terminal_size_t(
            columns: Int32(size.columns), rows: Int32(size.rows), width: Int32(size.columns * cell.width),
            height: Int32(size.rows * cell.height))
        var (person, program) = (Int32(-1), Int32(-1))
        let failure = terminal_open_pair(window, &person, &program)
        guard failure == 0 else { throw TerminalError("no pseudo-terminal: " + String(cString: strerror(failure))) }
        (self.person, self.program) = (person, program)
    }

    deinit {
        close(person)
        close(program)
    }
}
