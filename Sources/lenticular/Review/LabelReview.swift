import Foundation
import Labeling
import Synchronization
import TerminalUI

/// One person's review of a task in a run's label store.
final class LabelReview: ReviewQueue {
    let questions: ReviewQuestions
    private let store: LabelStore
    private let session: SessionID
    private let task: String
    private let files: RunFiles
    private let total: Int
    /// Objects that somebody had answered about before.
    private let doneBefore: Int
    /// Objects that were done in this review.
    private let done = Mutex<Set<String>>([])

    /// Begins a review.
    ///
    /// - Throws: `LabelStoreError`: a store that is locked or damaged, a task that it does not have.
    init(store: LabelStore, task name: String, labeller: String, files: RunFiles) throws {
        let task = try store.task(name)
        self.store = store
        self.task = name
        self.files = files
        questions = ReviewQuestions(
            task.tree.questions.map { question in
                ReviewQuestion(
                    name: question.name,
                    answers: question.answers.map { .init(key: $0.key, name: $0.name, next: $0.next) })
            })
        total = try store.queueCount(task: name)
        doneBefore = try store.statistics(task: name).labelled
        session = try store.startSession(labeller: labeller, task: name)
    }

    func upcoming(_ count: Int) throws -> [ReviewItem] {
        try store.next(session, lookAhead: count - 1).map(item)
    }

    func answer(_ id: String, question: String, answer: String, seconds: Double) throws {
        try store.decide(session, objectID: id, question: question, answer: answer, seconds: seconds)
        markDone(id)
    }

    func undo() throws -> ReviewUndone? {
        guard let undone = try store.undo(session) else { return nil }
        let what: ReviewUndone.What
        switch undone.kind {
        case .answer, .undo: what = .answer(question: undone.question ?? "")
        case .skip: what = .skip
        case .artefact: what = .artefact
        case .comment: what = .comment
        }
        let stands = try !store.answers(session, objectID: undone.objectID).isEmpty
        if !stands { _ = done.withLock { $0.remove(undone.objectID) } }
        return ReviewUndone(id: undone.objectID, what: what)
    }

    func skip(_ id: String, seconds: Double) throws { try store.skip(session, objectID: id, seconds: seconds) }

    func flagArtefact(_ id: String, seconds: Double) throws {
        try store.flagArtefact(session, objectID: id, seconds: seconds)
        markDone(id)
    }

    func comment(_ id: String, text: String) throws { try store.comment(session, objectID: id, text) }

    func find(_ prefix: String) throws -> ReviewItem? {
        guard let object = try store.find(prefix, limit: 1).first else { return nil }
        if let entry = try store.entry(task: task, objectID: object.id) { return item(entry) }
        return item(object, proposals: [], reason: "not in the queue")
    }

    func progress() throws -> ReviewProgress {
        ReviewProgress(done: min(doneBefore + done.withLock { $0.count }, total), total: total)
    }

    func release() throws { try store.release(session) }

    private func markDone(_ id: String) { _ = done.withLock { $0.insert(id) } }

    private func item(_ entry: QueueEntry) -> ReviewItem {
        let proposal = entry.proposal
        return item(
            entry.object, proposals: entry.proposals,
            reason: "\(proposal.strategy), rank \(entry.rank), score \(significant(proposal.score))")
    }

    private func item(_ object: ReviewObject, proposals: [Proposal], reason: String) -> ReviewItem {
        var predictions: [String: [ReviewItem.Prediction]] = [:]
        for proposal in proposals {
            guard let answer = proposal.answer, let probability = proposal.probability else { continue }
            predictions[proposal.question, default: []].append(.init(answer: answer, probability: probability))
        }
        return ReviewItem(
            id: object.id, files: files.paths(of: object.path), ra: object.ra, dec: object.dec,
            metadata: object.metadata.sorted { $0.key < $1.key }.map { .init($0.key, significant($0.value)) },
            predictions: predictions, reason: reason)
    }
}
