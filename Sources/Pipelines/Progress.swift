import Foundation

/// Tells a person how far long work has come, and how long it will still take.
///
/// On a terminal it redraws one line of standard error; elsewhere (a log file, a batch system) it writes a line
/// every ten seconds and one at the end.
public final class Progress {
    private let title: String
    private let total: Int
    private let unit: String
    private let enabled: Bool
    private let terminal: Bool
    private let started: ContinuousClock.Instant
    private let startCount: Int
    private var lastShown: ContinuousClock.Instant
    private var failures = 0
    private var note: String?

    /// - Parameters:
    ///   - startingAt: what an earlier, interrupted run had done; it does not count for the rate.
    ///   - enabled: false for a quiet run.
    public init(_ title: String, total: Int, unit: String, startingAt startCount: Int = 0, enabled: Bool = true) {
        self.title = title
        self.total = total
        self.unit = unit
        self.startCount = startCount
        self.enabled = enabled
        terminal = isatty(STDERR_FILENO) == 1
        started = .now
        lastShown = .now - .seconds(terminal ? 1 : 0)
    }

    /// Shows that `count` of the total are done.
    ///
    /// - Parameter note: a few words after the numbers, such as the present loss.
    public func update(_ count: Int, failures: Int = 0, note: String? = nil) {
        self.failures = failures
        self.note = note
        guard enabled else { return }
        let now = ContinuousClock.now
        guard now - lastShown >= (terminal ? .milliseconds(100) : .seconds(10)) else { return }
        lastShown = now
        show(line(count, elapsed: (now - started).seconds), end: false)
    }

    /// Shows the last line and leaves it.
    public func finish(_ count: Int, failures: Int = 0, note: String? = nil) {
        self.failures = failures
        self.note = note
        guard enabled else { return }
        show(line(count, elapsed: (ContinuousClock.now - started).seconds, final: true), end: true)
    }

    /// The line as shown, without control characters.
    package func line(_ count: Int, elapsed: Double, final: Bool = false) -> String {
        let fraction = total > 0 ? min(1, Double(count) / Double(total)) : 1
        let rate = elapsed > 0 ? Double(count - startCount) / elapsed : 0
        let width = 24
        let filled = Int(fraction * Double(width))
        let bar = String(repeating: "━", count: filled) + String(repeating: "╌", count: width - filled)
        var text = "\(title) \(bar) \(count)/\(total) \(unit)  \(Int(fraction * 100)) %"
        if rate > 0 { text += "  \(Self.rate(rate))/s" }
        if final {
            text += "  in \(Self.duration(elapsed))"
        } else if rate > 0, count < total {
            text += "  \(Self.duration(Double(total - count) / rate)) left"
        }
        if failures > 0 { text += "  \(failures) failed" }
        if let note { text += "  \(note)" }
        return text
    }

    private func show(_ text: String, end: Bool) {
        let output = terminal ? "\r\u{1B}[2K\(text)\(end ? "\n" : "")" : text + "\n"
        FileHandle.standardError.write(Data(output.utf8))
    }

    private static func rate(_ value: Double) -> String {
        value >= 100 ? String(Int(value.rounded())) : String(format: "%.1f", value)
    }

    /// A duration as a person writes it: 8 s, 3 min 20 s, 2 h 05 min.
    package static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded(.up))
        if whole < 60 { return seconds < 10 ? String(format: "%.1f s", seconds) : "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(String(format: "%02d", whole % 60)) s" }
        return "\(whole / 3600) h \(String(format: "%02d", whole % 3600 / 60)) min"
    }
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
