import Foundation
import GRDB

/// A row of the log.
public struct LoggedDecision: Sendable, Equatable {
    public enum Kind: String, Sendable { case answer, undo, skip, artefact, comment }

    public var id: DecisionID
    public var session: SessionID
    public var labeller: String
    public var task: String
    public var objectID: String
    public var kind: Kind
    public var question: String?
    public var answer: String?
    /// How long it took, seconds.
    public var seconds: Double?
    public var comment: String?
    /// Seconds since 1970.
    public var time: Double
    /// What the model had proposed, and its version.
    public var modelAnswer: String?
    public var modelVersion: Int?
    /// The row that an undo takes back.
    public var cancels: DecisionID?
    /// Whether a later undo took this row back.
    public var isCancelled: Bool
}

extension LabelStore {
    /// Writes an answer down. It is on the disk when this returns.
    ///
    /// An answer after which the tree asks nothing more makes the object done for this labeller. A second answer to the same
    /// question replaces the first, and takes back the labeller's answers to questions that followed from it.
    ///
    /// - Throws: ``LabelStoreError`` (`unknown`) for a question or an answer that the task's tree does not have.
    @discardableResult
    public func decide(
        _ session: SessionID, objectID: String, question: String, answer: String, seconds: Double? = nil,
        comment: String? = nil
    ) throws(LabelStoreError) -> DecisionID {
        try log(session, objectID, .answer, question: question, answer: answer, seconds: seconds, comment: comment)
    }

    /// Puts an object off: it comes again in this labeller's next session.
    @discardableResult
    public func skip(
        _ session: SessionID, objectID: String, seconds: Double? = nil
    ) throws(LabelStoreError) -> DecisionID {
        try log(session, objectID, .skip, seconds: seconds)
    }

    /// Calls an object a defect of the image; it is done for this labeller.
    @discardableResult
    public func flagArtefact(
        _ session: SessionID, objectID: String, seconds: Double? = nil, comment: String? = nil
    ) throws(LabelStoreError) -> DecisionID {
        try log(
            session, objectID, .artefact, question: QuestionTree.artefact, answer: QuestionTree.artefact,
            seconds: seconds, comment: comment)
    }

    /// Notes something about an object; it is neither decided nor done by that.
    @discardableResult
    public func comment(_ session: SessionID, objectID: String, _ text: String) throws(LabelStoreError) -> DecisionID {
        try log(session, objectID, .comment, comment: text)
    }

    /// Takes back the last answer, skip, flag or comment of a session that is not taken back yet, with a new row.
    ///
    /// - Returns: the row taken back; nil where there is none.
    @discardableResult
    public func undo(_ session: SessionID) throws(LabelStoreError) -> LoggedDecision? {
        try write { db in
            let (labeller, taskName) = try self.session(session, db)
            let last = try Row.fetchOne(
                db,
                sql: Self.logQuery + """
                     WHERE d.session = ? AND d.kind <> 'undo' AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.cancels = d.id)
                    ORDER BY d.id DESC LIMIT 1
                    """, arguments: [session])
            guard let last else { return nil }
            let object: Int64 = last["object"]
            try db.execute(
                sql: """
                    INSERT INTO decision (session, labeller, task, object, kind, time, cancels)
                    VALUES (?, ?, ?, ?, 'undo', ?, ?)
                    """,
                arguments: [session, labeller, taskName, object, Date().timeIntervalSince1970, last["id"] as Int64])
            try replay(try self.task(taskName, db), object, labeller, db)
            var row = Self.decision(last)
            row.isCancelled = true
            return row
        }
    }

    /// What a session did, newest first, undone rows and undos included.
    public func history(_ session: SessionID, limit: Int = 100) throws(LabelStoreError) -> [LoggedDecision] {
        try read { db in
            try Row.fetchAll(
                db, sql: Self.logQuery + " WHERE d.session = ? ORDER BY d.id DESC LIMIT ?", arguments: [session, limit]
            ).map(Self.decision)
        }
    }

    /// All that was said about an object, oldest first.
    public func decisions(task: String, objectID: String) throws(LabelStoreError) -> [LoggedDecision] {
        try read { db in
            try Row.fetchAll(
                db, sql: Self.logQuery + " WHERE d.task = ? AND o.id = ? ORDER BY d.id", arguments: [task, objectID]
            ).map(Self.decision)
        }
    }

    /// The whole log of a task, oldest first.
    public func decisions(task: String) throws(LabelStoreError) -> [LoggedDecision] {
        try read { db in
            try Row.fetchAll(db, sql: Self.logQuery + " WHERE d.task = ? ORDER BY d.id", arguments: [task])
                .map(Self.decision)
        }
    }

    /// What a labeller's answers about an object are now, by question: where a review that was cut off goes on.
    public func answers(_ session: SessionID, objectID: String) throws(LabelStoreError) -> [String: String] {
        try read { db in
            let (labeller, task) = try self.session(session, db)
            let rows = try Row.fetchAll(
                db, sql: "SELECT question, answer FROM vote WHERE task = ? AND object = ? AND labeller = ?",
                arguments: [task, try self.key(objectID, db), labeller])
            return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
        }
    }

    private func log(
        _ session: SessionID, _ objectID: String, _ kind: LoggedDecision.Kind, question: String? = nil,
        answer: String? = nil, seconds: Double? = nil, comment: String? = nil
    ) throws(LabelStoreError) -> DecisionID {
        try write { db in
            let (labeller, taskName) = try self.session(session, db)
            let task = try self.task(taskName, db)
            if kind == .answer, let question, let answer {
                guard let known = task.tree.question(question) else {
                    throw unknown("the task '\(taskName)' has no question '\(question)'")
                }
                guard known.answer(named: answer) != nil else {
                    throw unknown("'\(question)' has no answer '\(answer)'")
                }
            }
            let object = try self.key(objectID, db)
            let insert = try db.cachedStatement(
                sql: """
                    INSERT INTO decision (session, labeller, task, object, kind, question, answer, seconds, comment, time,
                        model_answer, model_version)
                    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, p.answer, p.model_version FROM (SELECT 1)
                    LEFT JOIN proposal p ON p.task = ?3 AND p.object = ?4 AND p.question = ?6 LIMIT 1
                    """)
            try insert.execute(arguments: [
                session, labeller, taskName, object, kind.rawValue, question, answer, seconds, comment,
                Date().timeIntervalSince1970,
            ])
            let id = db.lastInsertedRowID
            if kind != .comment { try replay(task, object, labeller, db) }
            return id
        }
    }

    private static let logQuery = """
        SELECT d.*, o.id AS object_id, EXISTS (SELECT 1 FROM decision u WHERE u.cancels = d.id) AS cancelled
        FROM decision d JOIN object o ON o.key = d.object
        """

    private static func decision(_ row: Row) -> LoggedDecision {
        LoggedDecision(
            id: row["id"], session: row["session"], labeller: row["labeller"], task: row["task"],
            objectID: row["object_id"], kind: LoggedDecision.Kind(rawValue: row["kind"]) ?? .comment,
            question: row["question"], answer: row["answer"], seconds: row["seconds"], comment: row["comment"],
            time: row["time"], modelAnswer: row["model_answer"], modelVersion: row["model_version"],
            cancels: row["cancels"], isCancelled: row["cancelled"])
    }
}
