import Foundation

/// The review as a state machine: keys in, what the window is to show out. It knows neither a terminal nor a clock, so that tests
/// can be the person.
///
/// A decision is stored before the next object is shown: when the queue throws, the message stays on the screen and so does the
/// object.
public struct ReviewScreen: Sendable {
    /// What the keys do at the moment.
    public enum Mode: Sendable, Equatable {
        case answering
        case comment(LineEditor)
        case search(LineEditor)
        case help
    }

    /// What a key asks of the program around the screen.
    public enum Request: Sendable, Equatable {
        case quit
        case suspend
        case redraw
    }

    /// A line that stays until the next key that does something.
    public struct Message: Sendable, Equatable {
        public var text: String
        public var isError: Bool
    }

    /// An object of this review and what was said about it.
    public struct Entry: Sendable, Equatable {
        public var item: ReviewItem
        /// Answers by question.
        public var answers: [String: String] = [:]
        public var isArtefact = false
        public var isSkipped = false
        public var comment: String?

        var isDone: Bool { isArtefact || isSkipped || !answers.isEmpty }
    }

    public let task: String
    public let labeller: String
    public let views: [ReviewView]
    public private(set) var entries: [Entry] = []
    public private(set) var position = 0
    public private(set) var question: ReviewQuestion
    public private(set) var mode = Mode.answering
    public private(set) var message: Message?
    public private(set) var settings = PictureSettings()
    public private(set) var showsNeighbours = false
    public private(set) var progress: ReviewProgress?
    /// Decisions that were stored in this review and not taken back.
    public private(set) var saved = 0
    /// Answers of this review that the model had a prediction for, and those that were its own.
    public private(set) var compared = 0
    public private(set) var agreed = 0
    /// The bands of the image on screen, once it was read.
    public var bandNames: [String] = []
    public var neighbours: [ReviewNeighbour]?

    private let queue: any ReviewQueue
    private let lookAhead: Int
    private var seen: Set<String> = []
    private var started: Double
    private var shownSince: Double
    private var refilled: Double
    private var decisionTimes: [Double] = []

    /// - Parameters:
    ///   - lookAhead: objects that are asked of the queue at once.
    ///   - time: seconds on any clock that goes on steadily.
    public init(
        queue: any ReviewQueue, task: String, labeller: String, views: [ReviewView] = [.image], lookAhead: Int = 16,
        time: Double
    ) {
        self.queue = queue
        self.task = task
        self.labeller = labeller
        self.views = views
        self.lookAhead = lookAhead
        question = queue.questions.first
        started = time
        shownSince = time
        refilled = time
        refill()
        updateProgress()
    }

    var allQuestions: ReviewQuestions { queue.questions }

    /// The object on screen; nil when none is left.
    public var current: Entry? { entries.indices.contains(position) ? entries[position] : nil }

    /// The objects around the one on screen that are likely to come next, the likeliest first.
    public var likelyNext: [ReviewItem] {
        [1, 2, -1, 3, 4, -2].map { position + $0 }.filter { entries.indices.contains($0) }.map { entries[$0].item }
    }

    /// Decisions a minute over the last five minutes of this review; nil before there are three, and in the first 15 s.
    public func rate(at time: Double) -> Double? {
        let recent = decisionTimes.filter { time - $0 < 300 }
        guard recent.count >= 3, time - started >= 15 else { return nil }
        return Double(recent.count) / max(min(time - started, 300), 1) * 60
    }

    // MARK: - Keys

    public mutating func handle(_ key: Key, at time: Double) -> Request? {
        switch key {
        case .control("c"): return .quit
        case .control("z"): return .suspend
        case .control("l"): return .redraw
        case .attributes: return nil
        default: break
        }
        switch mode {
        case .answering: return answering(key, at: time)
        case .help: mode = .answering
        case .comment(let line): editing(line, key, at: time) { .comment($0) }
        case .search(let line): editing(line, key, at: time) { .search($0) }
        }
        return nil
    }

    /// Asks for more objects when few are left to look ahead at, and now and then so that they stay reserved; to be called
    /// while the person looks.
    public mutating func refillIfFew(at time: Double) {
        guard entries.count - position <= lookAhead / 2 || time - refilled > 120 else { return }
        refilled = time
        refill()
    }

    private mutating func answering(_ key: Key, at time: Double) -> Request? {
        switch key {
        case .character("q"): return .quit
        case .character("?"):
            mode = .help
            message = nil
        case .character("u"): undo(at: time)
        case .character("s"):
            decide(at: time) { screen, item, seconds in
                try screen.queue.skip(item.id, seconds: seconds)
                screen.entries[screen.position].isSkipped = true
            }
        case .character("x"):
            decide(at: time) { screen, item, seconds in
                try screen.queue.flagArtefact(item.id, seconds: seconds)
                screen.entries[screen.position].isArtefact = true
            }
        case .character("c"): if current != nil { mode = .comment(LineEditor(current?.comment ?? "")) }
        case .character("/"): mode = .search(LineEditor())
        case .left: move(to: position - 1, at: time)
        case .right: move(to: position + 1, at: time)
        case .character("b"): nextBand()
        case .character("t"): settings.curve = Self.next(settings.curve, of: PictureSettings.Curve.allCases)
        case .character("v"):
            settings.view = Self.next(settings.view, of: views)
            if views.count == 1 { say("there is no other view: no restoration model is installed") }
        case .character("n"): showsNeighbours.toggle()
        case .character("+"), .character("="): zoom(by: 1)
        case .character("-"): zoom(by: -1)
        case .escape:
            message = nil
            question = queue.questions.first
        case .character(let character): answer(character, at: time)
        default: break
        }
        return nil
    }

    private mutating func editing(_ line: LineEditor, _ key: Key, at time: Double, mode wrap: (LineEditor) -> Mode) {
        var line = line
        switch key {
        case .escape: mode = .answering
        case .enter:
            let text = line.string.trimmingCharacters(in: .whitespaces)
            if case .comment = mode { comment(text) } else { search(text, at: time) }
        default:
            line.handle(key)
            mode = wrap(line)
        }
    }

    // MARK: - Decisions

    private mutating func answer(_ key: Character, at time: Double) {
        guard current != nil else { return }
        guard let answer = question.answers.first(where: { $0.key == key }) else {
            say("'\(key)' is no answer to this question; ? lists the keys")
            return
        }
        let asked = question
        let next = answer.next.flatMap { queue.questions[$0] }
        decide(at: time, staying: next) { screen, item, seconds in
            try screen.queue.answer(item.id, question: asked.name, answer: answer.name, seconds: seconds)
            screen.count(
                item, asked.name, replacing: screen.entries[screen.position].answers[asked.name], by: answer.name)
            screen.entries[screen.position].answers[asked.name] = answer.name
        }
    }

    /// Stores a decision, and goes on only when it is stored.
    private mutating func decide(
        at time: Double, staying next: ReviewQuestion? = nil,
        _ store: (inout ReviewScreen, ReviewItem, Double) throws -> Void
    ) {
        guard let item = current?.item else { return }
        do {
            try store(&self, item, max(time - shownSince, 0))
        } catch {
            message = Message(text: "NOT SAVED: \(error). The object stays.", isError: true)
            return
        }
        message = nil
        saved += 1
        decisionTimes.append(time)
        if decisionTimes.count > 2000 { decisionTimes.removeFirst(1000) }
        if let next {
            question = next
            shownSince = time
        } else {
            updateProgress()
            move(to: position + 1, at: time)
        }
    }

    /// Agreement with the model, of the answers that stand.
    private mutating func count(_ item: ReviewItem, _ question: String, replacing old: String?, by new: String?) {
        guard let predicted = item.prediction(for: question)?.answer else { return }
        if let old {
            compared -= 1
            if old == predicted { agreed -= 1 }
        }
        if let new {
            compared += 1
            if new == predicted { agreed += 1 }
        }
    }

    private mutating func undo(at time: Double) {
        let undone: ReviewUndone?
        do {
            undone = try queue.undo()
        } catch {
            message = Message(text: "nothing was taken back: \(error)", isError: true)
            return
        }
        guard let undone else {
            say("there is nothing to undo")
            return
        }
        saved = max(saved - 1, 0)
        if !decisionTimes.isEmpty { decisionTimes.removeLast() }
        updateProgress()
        guard go(to: undone.id, at: time) else {
            say("the answer to \(undone.id) was taken back")
            return
        }
        let what: String
        switch undone.what {
        case .answer(let name):
            count(entries[position].item, name, replacing: entries[position].answers[name], by: nil)
            entries[position].answers[name] = nil
            question = queue.questions[name] ?? queue.questions.first
            what = name
        case .artefact:
            entries[position].isArtefact = false
            what = "artefact"
        case .skip:
            entries[position].isSkipped = false
            what = "skip"
        case .comment:
            entries[position].comment = nil
            what = "comment"
        }
        say("taken back: \(what) of \(undone.id)")
    }

    private mutating func comment(_ text: String) {
        mode = .answering
        guard let item = current?.item, !text.isEmpty else { return }
        do {
            try queue.comment(item.id, text: text)
            entries[position].comment = text
            saved += 1
            say("the comment is saved")
        } catch {
            mode = .comment(LineEditor(text))
            message = Message(text: "NOT SAVED: \(error). The comment stays.", isError: true)
        }
    }

    // MARK: - Moving

    private mutating func search(_ text: String, at time: Double) {
        mode = .answering
        guard !text.isEmpty else { return }
        do {
            guard let item = try queue.find(text) else {
                say("no object's name begins with '\(text)'")
                return
            }
            if !entries.contains(where: { $0.item.id == item.id }) { insert(item) }
            _ = go(to: item.id, at: time)
            message = nil
        } catch {
            message = Message(text: "the search failed: \(error)", isError: true)
        }
    }

    /// An object that was not in turn comes before the one on screen.
    private mutating func insert(_ item: ReviewItem) {
        seen.insert(item.id)
        entries.insert(Entry(item: item), at: min(position, entries.count))
    }

    private mutating func go(to id: String, at time: Double) -> Bool {
        if !entries.contains(where: { $0.item.id == id }), let item = try? queue.find(id), item.id == id {
            insert(item)
        }
        guard let index = entries.firstIndex(where: { $0.item.id == id }) else { return false }
        show(index, at: time)
        return true
    }

    private mutating func move(to index: Int, at time: Double) {
        if index >= entries.count { refill() }
        if index < 0 {
            say("this is the first object of this review")
            return
        }
        show(min(index, entries.count), at: time)
    }

    private mutating func show(_ index: Int, at time: Double) {
        position = index
        question = queue.questions.first
        shownSince = time
        bandNames = []
        neighbours = nil
        if message?.isError != true { message = nil }
    }

    private mutating func refill() {
        do {
            // Objects that were passed by without an answer are given out again, before the new ones.
            let passed = entries.count { !$0.isDone }
            for item in try queue.upcoming(lookAhead + passed) where seen.insert(item.id).inserted {
                entries.append(Entry(item: item))
            }
        } catch {
            message = Message(text: "no further objects could be read: \(error)", isError: true)
        }
    }

    private mutating func updateProgress() {
        // Only the status line needs it: a failure has been said by whatever stored or read.
        if let progress = try? queue.progress() { self.progress = progress }
    }

    // MARK: - The picture

    private mutating func nextBand() {
        guard bandNames.count > 1 else {
            say(bandNames.isEmpty ? "the image is not there yet" : "the image has one band")
            return
        }
        let next = settings.band.map { $0 + 1 } ?? 0
        settings.band = next < bandNames.count ? next : nil
    }

    private mutating func zoom(by step: Int) {
        let zooms = PictureSettings.zooms
        let index = (zooms.firstIndex(of: settings.zoom) ?? 0) + step
        settings.zoom = zooms[min(max(index, 0), zooms.count - 1)]
    }

    private static func next<Value: Equatable>(_ value: Value, of all: [Value]) -> Value {
        all[((all.firstIndex(of: value) ?? -1) + 1) % all.count]
    }

    private mutating func say(_ text: String) { message = Message(text: text, isError: false) }
}
