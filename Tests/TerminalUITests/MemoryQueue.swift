import Synchronization
import TerminalUI

/// A queue in memory, with a log, that fails when it is told to.
final class MemoryQueue: ReviewQueue {
    struct Failure: Error, CustomStringConvertible {
        var description: String { "RUN/labels.sqlite: the disk is full" }
    }

    struct Row: Equatable {
        var id: String
        var question: String?
        var answer: String
    }

    private struct State {
        var log: [Row] = []
        var comments: [String: String] = [:]
        var fails = false
    }

    let questions: ReviewQuestions
    private let items: [ReviewItem]
    private let state = Mutex(State())

    init(_ items: [ReviewItem], questions: ReviewQuestions = .tree) {
        self.items = items
        self.questions = questions
    }

    var log: [Row] { state.withLock { $0.log } }
    var comments: [String: String] { state.withLock { $0.comments } }
    func fail(_ fails: Bool) { state.withLock { $0.fails = fails } }

    private func append(_ row: Row) throws {
        try state.withLock { state in
            if state.fails { throw Failure() }
            state.log.append(row)
        }
    }

    func upcoming(_ count: Int) throws -> [ReviewItem] {
        let done = Set(log.map(\.id))
        return Array(items.lazy.filter { !done.contains($0.id) }.prefix(count))
    }

    func answer(_ id: String, question: String, answer: String, seconds: Double) throws {
        try append(Row(id: id, question: question, answer: answer))
    }

    func undo() throws -> ReviewUndone? {
        try state.withLock { state in
            if state.fails { throw Failure() }
            return state.log.popLast().map { row in
                let what: ReviewUndone.What =
                    row.question.map { .answer(question: $0) } ?? (row.answer == "skip" ? .skip : .artefact)
                return ReviewUndone(id: row.id, what: what)
            }
        }
    }

    func skip(_ id: String, seconds: Double) throws { try append(Row(id: id, answer: "skip")) }
    func flagArtefact(_ id: String, seconds: Double) throws { try append(Row(id: id, answer: "artefact")) }

    func comment(_ id: String, text: String) throws {
        try state.withLock { state in
            if state.fails { throw Failure() }
            state.comments[id] = text
        }
    }

    func find(_ prefix: String) throws -> ReviewItem? { items.first { $0.id.hasPrefix(prefix) } }
    func progress() throws -> ReviewProgress { ReviewProgress(done: Set(log.map(\.id)).count, total: items.count) }
    func release() throws {}
}

extension ReviewQuestions {
    static let tree = ReviewQuestions([
        ReviewQuestion(
            name: "smooth-or-featured",
            answers: [
                .init(key: "1", name: "smooth", next: "how-rounded"), .init(key: "2", name: "featured-or-disk"),
                .init(key: "3", name: "artifact"),
            ]),
        ReviewQuestion(name: "how-rounded", answers: [.init(key: "1", name: "round"), .init(key: "2", name: "cigar")]),
    ])
}

extension ReviewItem {
    static func numbered(_ count: Int) -> [ReviewItem] {
        (1...count).map { number in
            ReviewItem(
                id: "object-\(number)", files: ["\(number).fits"], ra: 150.1163213, dec: -2.2058,
                metadata: [.init("outlier_score", "8.31"), .init("flags", "4")],
                predictions: [
                    "smooth-or-featured": [
                        .init(answer: "smooth", probability: 0.25), .init(answer: "featured-or-disk", probability: 0.7),
                    ]
                ], reason: "outliers, rank \(number)")
        }
    }
}
