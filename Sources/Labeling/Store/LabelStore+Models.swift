import Foundation
import GRDB

/// A state of a task's model. It is made again from its labels and its seed, both of which the store keeps.
public struct ModelVersion: Sendable, Equatable {
    public var version: Int
    public var task: String
    /// Seconds since 1970.
    public var created: Double
    public var seed: UInt32
    /// Area under the ROC curve on labels that were held out; NaN where there were too few.
    public var auc: Double
    /// Share of the objects whose answer differs from what the version before said; NaN for the first.
    public var flipped: Double
    /// What changed with it, in a line.
    public var summary: String
    /// Whether the queue is ordered by it.
    public var isActive: Bool
    /// Rows of the log that it learnt from.
    public var labelCount: Int
}

extension LabelStore {
    /// Records a version of the model together with the rows of the log that it learnt from, and makes it the active one.
    ///
    /// - Returns: its number.
    public func recordModel(
        task: String, seed: UInt32, auc: Double, flipped: Double, summary: String, decisions: [DecisionID]
    ) throws(LabelStoreError) -> Int {
        try write { db in
            try db.execute(sql: "UPDATE model_version SET active = 0 WHERE task = ?", arguments: [task])
            try db.execute(
                sql: """
                    INSERT INTO model_version (task, created, seed, auc, flipped, summary, active)
                    VALUES (?, ?, ?, ?, ?, ?, 1)
                    """,
                arguments: [task, Date().timeIntervalSince1970, seed, auc, flipped, summary])
            let version = db.lastInsertedRowID
            let insert = try db.cachedStatement(sql: "INSERT INTO model_label (version, decision) VALUES (?, ?)")
            for decision in Set(decisions) { try insert.execute(arguments: [version, decision]) }
            return Int(version)
        }
    }

    /// All versions of a task's model, oldest first.
    public func models(task: String) throws(LabelStoreError) -> [ModelVersion] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT v.*, (SELECT COUNT(*) FROM model_label l WHERE l.version = v.version) AS labels
                    FROM model_version v WHERE v.task = ? ORDER BY v.version
                    """, arguments: [task]
            ).map { row in
                ModelVersion(
                    version: row["version"], task: row["task"], created: row["created"], seed: row["seed"],
                    auc: row["auc"] ?? .nan, flipped: row["flipped"] ?? .nan,
                    summary: row["summary"], isActive: row["active"], labelCount: row["labels"])
            }
        }
    }

    /// Makes an earlier version the active one. The later ones stay on record.
    ///
    /// - Throws: ``LabelStoreError`` (`unknown`) for a version that the task does not have.
    public func activateModel(task: String, version: Int) throws(LabelStoreError) {
        try write { db in
            let known = try Int.fetchOne(
                db, sql: "SELECT COUNT(*) FROM model_version WHERE task = ? AND version = ?",
                arguments: [task, version])
            guard known == 1 else { throw unknown("the task '\(task)' has no model version \(version)") }
            try db.execute(
                sql: "UPDATE model_version SET active = (version = ?) WHERE task = ?", arguments: [version, task])
        }
    }

    /// What the queue's model answers to a question now, by object.
    public func proposedAnswers(task: String, question: String) throws(LabelStoreError) -> [String: String] {
        try read { db in
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT o.id, p.answer FROM proposal p JOIN object o ON o.key = p.object
                    WHERE p.task = ? AND p.question = ? AND p.answer IS NOT NULL
                    """, arguments: [task, question])
            var answers: [String: String] = [:]
            while let row = try rows.next() { answers[row[0]] = row[1] }
            return answers
        }
    }
}
