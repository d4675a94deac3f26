import Foundation
import Labeling
import Training

/// Closes the loop: from the labels of a task to a model, and from it to a new order of the queue.
public struct Learner {
    /// What a refit changed.
    public struct Report: Sendable, Equatable {
        public var version: Int
        /// Answers that count.
        public var answers: Int
        /// Objects with a label.
        public var labelled: Int
        /// On labels that were held out; NaN where there are too few.
        public var auc: Double
        /// What the version before had.
        public var aucBefore: Double?
        /// Objects whose answer differs from before, of all.
        public var flipped: Int
        public var objects: Int
        public var seconds: Double
        public var forecast: LearningCurve?
        public var mayStop: Bool

        /// One line for a status bar.
        public var line: String {
            func number(_ value: Double) -> String { value.isFinite ? String(format: "%.3f", value) : "not known yet" }
            var line = "version \(version): \(answers) answers on \(labelled) objects, held-out AUC "
            line += (aucBefore.map { number($0) + " → " } ?? "") + number(auc)
            line += ", \(flipped) of \(objects) predictions changed, " + String(format: "%.1f s", seconds)
            if let needed = forecast?.answers(for: 0.9), auc < 0.9 {
                line += ", AUC 0.9 forecast at \(Int(min(needed, 1e7).rounded(.up))) answers"
            }
            return mayStop ? line + "; the last refits changed next to nothing: you may stop" : line
        }
    }

    let store: LabelStore
    let features: MorphologyFeatures
    let outlierScores: [Double]
    /// Ids by row.
    let ids: [String]
    let workers: Int

    public init(
        _ store: LabelStore, features: MorphologyFeatures, outlierScores: [Double], ids: [String], workers: Int
    ) {
        precondition(
            features.count == ids.count && outlierScores.count == ids.count,
            "[Learner] expected an id and a score a row")
        self.store = store
        self.features = features
        self.outlierScores = outlierScores
        self.ids = ids
        self.workers = workers
    }

    public init(_ store: LabelStore, run: RunObjects, workers: Int) {
        self.init(
            store, features: run.features, outlierScores: run.outlierScores, ids: run.objects.map(\.id),
            workers: workers)
    }

    /// Orders a task's queue without a model.
    public func buildQueue(task name: String, seed: UInt64) throws {
        let task = try store.task(name)
        try propose(task, TaskModel.none, version: nil, labelled: try labelledRows(name), seed: seed)
    }

    /// Learns from all labels of a task and orders its queue anew.
    ///
    /// - Throws: ``ActiveLearningError`` where there is too little to learn from; the queue stays as it was then.
    public func learn(task name: String, seed: UInt32 = 0) throws -> Report {
        let clock = ContinuousClock()
        let start = clock.now
        let task = try store.task(name)
        let labels = try store.consensus(task: name)
        let model = try TaskModel(
            task.tree, labels: labels, features: features, outlierScores: outlierScores, seed: UInt64(seed),
            workers: workers)
        let before = try store.models(task: name)
        let old = try store.proposedAnswers(task: name, question: task.tree.root.name)
        let new = model.answers(of: task.tree.root.name)
        let flipped = ids.indices.count { row in new[row] != nil && old[ids[row]] != nil && old[ids[row]] != new[row] }
        let share = old.isEmpty ? .nan : Double(flipped) / Double(ids.count)
        var report = Report(
            version: 0, answers: labels.reduce(0) { $0 + $1.labellerCount },
            labelled: Set(labels.map(\.objectID)).count, auc: model.heldOutAUC,
            aucBefore: before.last { $0.isActive }?.auc, flipped: flipped, objects: ids.count, seconds: 0,
            forecast: LearningCurve(
                answers: before.map { Double($0.labelCount) } + [Double(labels.reduce(0) { $0 + $1.labellerCount })],
                quality: before.map(\.auc) + [model.heldOutAUC]),
            mayStop: StopRule().isMet(
                quality: before.map(\.auc) + [model.heldOutAUC], flipped: before.map(\.flipped) + [share]))
        report.version = try store.recordModel(
            task: name, seed: seed, auc: model.heldOutAUC, flipped: share,
            summary: "\(report.answers) answers, \(flipped) predictions changed", decisions: labels.flatMap(\.decisions)
        )
        try propose(
            task, model, version: report.version, labelled: labels.map(\.row).filter { $0 >= 0 }, seed: UInt64(seed))
        report.seconds = (clock.now - start) / .seconds(1)
        return report
    }

    /// Goes back to an earlier version: it learns again from the labels that made it, and orders the queue as it did.
    public func rollback(task name: String, version: Int) throws {
        let task = try store.task(name)
        guard let known = try store.models(task: name).first(where: { $0.version == version }) else {
            throw ActiveLearningError(.configuration, "the task '\(name)' has no model version \(version)")
        }
        let model = try TaskModel(
            task.tree, labels: try store.consensus(task: name, version: version), features: features,
            outlierScores: outlierScores, seed: UInt64(known.seed), workers: workers)
        try propose(
            task, model, version: version, labelled: try labelledRows(name), seed: UInt64(known.seed))
        try store.activateModel(task: name, version: version)
    }

    private func labelledRows(_ task: String) throws -> [Int] {
        try store.consensus(task: task).map(\.row).filter { $0 >= 0 }
    }

    private func propose(
        _ task: LabelTask, _ model: TaskModel, version: Int?, labelled: [Int], seed: UInt64
    ) throws {
        let mix = try StrategyMix(task.strategy.isEmpty ? "mix" : task.strategy)
        let places = QueueBuilder(features, outlierScores: outlierScores, mix: mix, seed: seed).order(
            labelled: Array(Set(labelled)).sorted(), prediction: model.members(of: task.tree.root.name),
            relevance: model.relevance)
        let questions = task.tree.questions.filter { $0.name == task.tree.root.name || model.knows($0.name) }
        let proposals = places.lazy.flatMap { place in
            questions.lazy.map { question in
                let answer = model.answer(question.name, row: place.row)
                return Proposal(
                    objectID: ids[place.row], task: task.name, question: question.name, answer: answer?.name,
                    probability: answer?.probability, uncertainty: place.uncertainty, score: place.score,
                    strategy: place.strategy, modelVersion: answer == nil ? nil : version)
            }
        }
        try store.replaceProposals(task: task.name, proposals)
    }
}
