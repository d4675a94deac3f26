import GRDB

extension LabelStore {
    /// Replaces a task's queue and what is proposed in it. Decisions, and who has seen what, stay.
    ///
    /// - Parameter proposals: by rank, the object to be seen first at the front; an object that comes again with another
    ///   question keeps its first place.
    /// - Throws: ``LabelStoreError`` for a task or an object that the store does not have; the old queue stays then.
    public func replaceProposals(task: String, _ proposals: some Sequence<Proposal>) throws(LabelStoreError) {
        try write { db in
            let known = try self.task(task, db)
            try db.execute(sql: "DELETE FROM proposal WHERE task = ?", arguments: [task])
            try db.execute(sql: "DELETE FROM queue WHERE task = ?", arguments: [task])
            let find = try db.cachedStatement(sql: "SELECT key FROM object WHERE id = ?")
            let addQueue = try db.cachedStatement(
                sql: "INSERT OR IGNORE INTO queue (task, rank, object, open) VALUES (?, ?, ?, 1)")
            let addProposal = try db.cachedStatement(
                sql: """
                    INSERT INTO proposal (task, object, place, question, answer, probability, uncertainty, score,
                        strategy, model_version)
                    SELECT ?1, ?2, (SELECT COUNT(*) FROM proposal WHERE task = ?1 AND object = ?2),
                        ?3, ?4, ?5, ?6, ?7, ?8, ?9
                    """)
            var rank = 0
            for proposal in proposals {
                guard let object = try Int64.fetchOne(find, arguments: [proposal.objectID]) else {
                    throw unknown("has no object '\(proposal.objectID)'")
                }
                try addQueue.execute(arguments: [task, rank + 1, object])
                rank += db.changesCount
                try addProposal.execute(arguments: [
                    task, object, proposal.question, proposal.answer, proposal.probability, proposal.uncertainty,
                    proposal.score, proposal.strategy, proposal.modelVersion,
                ])
            }
            let reviewed = try Int64.fetchAll(
                db, sql: "SELECT DISTINCT object FROM vote WHERE task = ?", arguments: [task])
            for object in reviewed { try updateRetirement(known, object, db) }
            try db.execute(sql: "DELETE FROM position WHERE task = ?", arguments: [task])
        }
    }

    /// Objects in a task's queue.
    public func queueCount(task: String) throws(LabelStoreError) -> Int {
        try read { db in
            try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM queue WHERE task = ?", arguments: [task]) ?? 0
        }
    }

    /// The first entries of a task's queue, whoever has seen them.
    public func ranking(task: String, limit: Int) throws(LabelStoreError) -> [QueueEntry] {
        try read { db in
            try Row.fetchAll(
                db, sql: "SELECT rank, object FROM queue WHERE task = ? ORDER BY rank LIMIT ?",
                arguments: [task, limit]
            ).map { try self.entry(task: task, key: $0[1], rank: $0[0], db) }
        }
    }

    /// An object of a task's queue, whoever has seen it: to go back to it. nil for one that is not in the queue.
    public func entry(task: String, objectID: String) throws(LabelStoreError) -> QueueEntry? {
        try read { db in
            let row = try Row.fetchOne(
                db,
                sql: "SELECT rank, object FROM queue WHERE task = ? AND object = (SELECT key FROM object WHERE id = ?)",
                arguments: [task, objectID])
            return try row.map { try self.entry(task: task, key: $0[1], rank: $0[0], db) }
        }
    }

    func entry(task: String, key: Int64, rank: Int, _ db: Database) throws -> QueueEntry {
        let find = try db.cachedStatement(sql: "SELECT * FROM object WHERE key = ?")
        let propose = try db.cachedStatement(
            sql: "SELECT * FROM proposal WHERE task = ? AND object = ? ORDER BY place")
        guard let object = try Row.fetchOne(find, arguments: [key]).map(Self.object) else {
            throw unknown("has no object with the key \(key)")
        }
        let proposals = try Row.fetchAll(propose, arguments: [task, key]).map { row in
            Proposal(
                objectID: object.id, task: task, question: row["question"], answer: row["answer"],
                probability: row["probability"], uncertainty: row["uncertainty"], score: row["score"] ?? .nan,
                strategy: row["strategy"], modelVersion: row["model_version"])
        }
        return QueueEntry(object: object, proposals: proposals, rank: rank)
    }
}
