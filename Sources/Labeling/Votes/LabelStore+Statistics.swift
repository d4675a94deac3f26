import Foundation
import GRDB

/// How far a task is.
public struct LabelStatistics: Sendable, Equatable {
    /// Objects in the queue.
    public var queued: Int
    /// Objects of the queue that are retired.
    public var retired: Int
    /// Objects that somebody answered about or flagged.
    public var labelled: Int
    /// Answers and flags that count now: one a person, object and question.
    public var answers: Int
    /// People.
    public var labellers: Int
    /// Answers an hour over the last hour of the log, pauses of more than five minutes left out; NaN for fewer than two.
    public var answersPerHour: Double
    /// Answers that could be compared with what a model had proposed, and those that were the same.
    public var compared: Int
    public var agreed: Int
    /// Fleiss' kappa over the first question; NaN where nobody overlaps.
    public var fleissKappa: Double

    /// Share of answers that are the model's; NaN without any.
    public var agreementWithModel: Double { compared > 0 ? Double(agreed) / Double(compared) : .nan }
}

extension LabelStore {
    public func statistics(task: String) throws(LabelStoreError) -> LabelStatistics {
        let counts = try voteCounts(task: task)
        return try read { db in
            let root = try self.task(task, db).tree.root.name
            func count(_ sql: String) throws -> Int {
                try Int.fetchOne(db, sql: sql, arguments: [task]) ?? 0
            }
            let compared = try Row.fetchOne(
                db,
                sql: """
                    SELECT COUNT(*), COALESCE(SUM(v.answer = d.model_answer), 0) FROM vote v
                    JOIN decision d ON d.id = v.decision WHERE v.task = ? AND d.model_answer IS NOT NULL
                    """, arguments: [task])
            let times = try Double.fetchAll(
                db, sql: "SELECT time FROM decision WHERE task = ? AND kind = 'answer' ORDER BY id DESC LIMIT 1000",
                arguments: [task])
            return LabelStatistics(
                queued: try count("SELECT COUNT(*) FROM queue WHERE task = ?"),
                retired: try count("SELECT COUNT(*) FROM queue WHERE task = ? AND open = 0"),
                labelled: Set(counts.map(\.objectID)).count,
                answers: try count("SELECT COUNT(*) FROM vote WHERE task = ?"),
                labellers: try count("SELECT COUNT(DISTINCT labeller) FROM vote WHERE task = ?"),
                answersPerHour: Self.rate(times), compared: compared?[0] ?? 0, agreed: compared?[1] ?? 0,
                fleissKappa: Agreement.fleiss(counts.filter { $0.question == root }.map(\.counts)))
        }
    }

    /// - Parameter times: newest first, seconds.
    static func rate(_ times: [Double]) -> Double {
        let gaps = zip(times, times.dropFirst()).lazy.map { $0 - $1 }
        let last = times.first ?? 0
        let recent = zip(gaps, times.dropFirst()).filter { $0 < 300 && last - $1 <= 3600 }.map(\.0)
        let worked = recent.reduce(0, +)
        return recent.isEmpty || worked <= 0 ? .nan : 3600 * Double(recent.count) / worked
    }
}
