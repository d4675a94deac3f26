import Foundation

/// Runs a review in a terminal until the person leaves.
public final class ReviewRunner {
    /// How a review ended.
    public struct Summary: Sendable {
        public var saved: Int
        /// Seconds from a key to the picture of the object that it led to.
        public var latencies: [Double]
        /// The terminal went away.
        public var wasHungUp: Bool
    }

    private let terminal: Terminal
    private var screen: ReviewScreen
    private let loader: PictureLoader
    private let capabilities: TerminalCapabilities
    private var parser: InputParser
    private var early: [Key]
    private var writer = FrameWriter()
    private var latencies: [Double] = []
    /// When the key was pressed whose object has no picture yet.
    private var waitingSince: Double?

    /// Asks the terminal what it can do, for at most 0.2 s.
    ///
    /// - Parameters:
    ///   - graphics: instead of what is found.
    ///   - screen: its clock must be ``now()``.
    public init(terminal: Terminal, screen: ReviewScreen, source: any PictureSource, graphics: Graphics?) {
        self.terminal = terminal
        self.screen = screen
        loader = PictureLoader(source: source) { Terminal.wake() }
        var parser = InputParser()
        var attributes: [Int]?
        var early: [Key] = []
        terminal.write("\u{1B}[c")
        let end = Self.now() + 0.2
        while attributes == nil, Self.now() < end {
            guard case .input(let bytes) = terminal.wait(milliseconds: max(Int((end - Self.now()) * 1000), 1)) else {
                continue
            }
            for key in parser.feed(bytes) {
                if case .attributes(let values) = key { attributes = values } else { early.append(key) }
            }
        }
        self.parser = parser
        self.early = early
        capabilities = TerminalCapabilities(
            environment: ProcessInfo.processInfo.environment, attributes: attributes, graphics: graphics)
    }

    /// Seconds on a clock that goes on steadily.
    public static func now() -> Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

    /// Reads keys and draws until the person quits or the terminal is gone. Does not release the queue.
    public func run() -> Summary {
        defer { loader.stop() }
        draw()
        if !take(early, at: Self.now()) { return summary() }
        while true {
            let event = terminal.wait(milliseconds: parser.isPending ? 50 : 10_000)
            let time = Self.now()
            switch event {
            case .input(let bytes): if !take(parser.feed(bytes), at: time) { return summary() }
            case .timeout: if !take(parser.flush(), at: time) { return summary() }
            case .woken: break
            case .closed: return summary(hungUp: true)
            }
            draw()
            screen.refillIfFew(at: Self.now())
        }
    }

    private func summary(hungUp: Bool = false) -> Summary {
        Summary(saved: screen.saved, latencies: latencies, wasHungUp: hungUp)
    }

    /// - Returns: false when the person quits.
    private func take(_ keys: [Key], at time: Double) -> Bool {
        for key in keys {
            let before = screen.current?.item.id
            switch screen.handle(key, at: time) {
            case .quit: return false
            case .suspend:
                terminal.suspend()
                writer.invalidate()
            case .redraw: writer.invalidate()
            case nil: break
            }
            if screen.current?.item.id != before, screen.current != nil {
                waitingSince = time
                // Each key's object is shown, also when keys come faster than frames.
                draw()
            }
        }
        return true
    }

    private func draw() {
        if screen.showsNeighbours, let id = screen.current?.item.id { screen.neighbours = loader.neighbours(of: id) }
        let frame = ReviewFrame(
            screen, size: terminal.size, capabilities: capabilities, time: Self.now(),
            pictures: { [loader] in loader.picture($0) })
        if let first = frame.requests.first, case .painted(_, let bands, _, _) = loader.picture(first) {
            screen.bandNames = bands
        }
        let text = writer.encode(frame.grid, pictures: frame.placed)
        if !text.isEmpty { terminal.write(text) }
        if frame.isComplete, let since = waitingSince {
            latencies.append(Self.now() - since)
            waitingSince = nil
        }
        loader.want(frame.requests, neighboursOf: screen.showsNeighbours ? screen.current?.item.id : nil)
    }
}
