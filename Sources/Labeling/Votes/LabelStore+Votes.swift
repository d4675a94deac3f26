import GRDB

/// What people say of an object together.
public struct ConsensusLabel: Sendable, Equatable {
    public var objectID: String
    /// Row in the run's embeddings; -1 without one.
    public var row: Int
    public var question: String
    /// The commonest answer; nil where two are equally common.
    public var answer: String?
    /// Votes for it over all votes; the largest fraction at a tie.
    public var fraction: Double
    /// People who answered.
    public var labellerCount: Int
    /// The rows of the log that count, one a person.
    public var decisions: [DecisionID]
}

extension LabelStore {
    /// The votes on every object that has some, by question as the tree has them, then flagged artefacts.
    public func voteCounts(task: String) throws(LabelStoreError) -> [VoteCounts] {
        try read { db in
            let tree = try self.task(task, db).tree
            return try self.grouped(task, db) { id, _, question, votes in
                let names = tree.question(question)?.answers.map(\.name) ?? [question]
                return VoteCounts(
                    objectID: id, question: question, answers: names,
                    counts: names.map { name in votes.count { $0.answer == name } })
            }
        }
    }

    /// The consensus on every object that has votes.
    ///
    /// - Parameter version: as the labels were from which this version of the model learnt; as they are now when nil.
    public func consensus(task: String, version: Int? = nil) throws(LabelStoreError) -> [ConsensusLabel] {
        try read { db in
            let tree = try self.task(task, db).tree
            return try self.grouped(task, version: version, db) { id, row, question, votes in
                let names = tree.question(question)?.answers.map(\.name) ?? [question]
                let counts = VoteCounts(
                    objectID: id, question: question, answers: names,
                    counts: names.map { name in votes.count { $0.answer == name } })
                return ConsensusLabel(
                    objectID: id, row: row, question: question, answer: counts.consensus,
                    fraction: Double(counts.counts.max() ?? 0) / Double(max(1, counts.total)),
                    labellerCount: votes.count, decisions: votes.map(\.decision))
            }
        }
    }

    private func grouped<Value>(
        _ task: String, version: Int? = nil, _ db: Database,
        _ make: (String, Int, String, [(answer: String, decision: Int64)]) -> Value
    ) throws -> [Value] {
        let source =
            version == nil
            ? "vote v"
            : """
            (SELECT d.task, d.object, d.question, d.answer, d.id AS decision FROM model_label m
                JOIN decision d ON d.id = m.decision WHERE m.version = ?2) v
            """
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT v.object, o.id, o.row, v.question, v.answer, v.decision FROM \(source)
                JOIN object o ON o.key = v.object WHERE v.task = ?1 ORDER BY v.object, v.question, v.decision
                """, arguments: version.map { [task, $0] } ?? [task])
        var values: [Value] = []
        var group: (object: Int64, id: String, row: Int, question: String)?
        var votes: [(answer: String, decision: Int64)] = []
        while let row = try rows.next() {
            let key: (object: Int64, id: String, row: Int, question: String) = (row[0], row[1], row[2], row[3])
            if let group, group.object != key.object || group.question != key.question {
                values.append(make(group.id, group.row, group.question, votes))
                votes = []
            }
            group = key
            votes.append((row[4], row[5]))
        }
        if let group { values.append(make(group.id, group.row, group.question, votes)) }
        return values
    }
}
