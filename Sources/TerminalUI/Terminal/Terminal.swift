import CTerminal
import Foundation

/// A terminal that cannot be used, and why.
public struct TerminalError: Error, Sendable, CustomStringConvertible {
    public let reason: String

    public init(_ reason: String) { self.reason = reason }

    public var description: String { "the terminal: \(reason)" }
}

/// Size of a window.
public struct TerminalSize: Sendable, Equatable {
    public var columns: Int
    public var rows: Int
    /// Size of a character in pixels; nil where the terminal does not say.
    public var cell: CellPixels?

    public struct CellPixels: Sendable, Hashable {
        public var width: Int
        public var height: Int

        public init(width: Int, height: Int) {
            self.width = width
            self.height = height
        }
    }

    public init(columns: Int, rows: Int, cell: CellPixels? = nil) {
        self.columns = columns
        self.rows = rows
        self.cell = cell
    }
}

/// The terminal of this process in raw mode with its alternate screen; given back when the process ends in any way (see
/// terminal.h).
public final class Terminal: Sendable {
    /// What a wait ended with.
    public enum Event: Sendable {
        case input([UInt8])
        /// The window may have another size, or another thread called `wake`.
        case woken
        case timeout
        /// The terminal is gone, or the program was asked to end.
        case closed
    }

    private let descriptor: Int32

    /// - Parameter descriptor: a terminal open for reading and writing; the controlling one by default.
    /// - Throws: `TerminalError` where there is none.
    public init(descriptor: Int32? = nil) throws(TerminalError) {
        let opened = descriptor ?? open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard opened >= 0, isatty(opened) == 1 else {
            throw TerminalError("there is none; a review needs one (over ssh: ssh -t)")
        }
        self.descriptor = opened
        let failure = terminal_enter(opened)
        guard failure == 0 else { throw TerminalError(String(cString: strerror(failure))) }
    }

    public var size: TerminalSize {
        let size = terminal_size(descriptor)
        let (columns, rows) = (Int(size.columns), Int(size.rows))
        let cell = TerminalSize.CellPixels(width: Int(size.width) / columns, height: Int(size.height) / rows)
        return TerminalSize(columns: columns, rows: rows, cell: cell.width > 1 && cell.height > 1 ? cell : nil)
    }

    public func leave() { terminal_leave() }

    /// Stops the process as Ctrl-Z does; returns when it is continued.
    public func suspend() { _ = terminal_suspend() }

    /// The signal that asked the program to end; nil while there was none.
    public static var endingSignal: Int32? {
        let number = terminal_ended()
        return number == 0 ? nil : number
    }

    /// Ends a wait. From any thread.
    public static func wake() { terminal_wake() }

    /// Waits for input, for at most so many milliseconds; without limit when nil.
    public func wait(milliseconds: Int?) -> Event {
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: terminal_events(), events: Int16(POLLIN), revents: 0),
        ]
        let count = poll(&polled, 2, Int32(milliseconds ?? -1))
        if terminal_ended() != 0 { return .closed }
        if count == 0 { return .timeout }
        if count < 0 { return errno == EINTR ? .woken : .closed }
        if polled[0].revents != 0 {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let length = read(descriptor, &buffer, buffer.count)
            if length > 0 { return .input(Array(buffer[..<length])) }
            return length < 0 && (errno == EINTR || errno == EAGAIN) ? .woken : .closed
        }
        terminal_clear_events()
        return .woken
    }

    /// Writes all of it.
    /// - Returns: false when the terminal is gone.
    @discardableResult
    public func write(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let sent = Foundation.write(descriptor, rest.baseAddress, rest.count)
                if sent > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[sent...])
                } else if sent < 0, errno == EAGAIN {
                    var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&polled, 1, 1000)
                } else if !(sent < 0 && errno == EINTR) {
                    return false
                }
            }
            return true
        }
    }
}
