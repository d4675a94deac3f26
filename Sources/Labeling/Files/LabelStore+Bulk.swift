import Foundation
import GRDB

extension LabelStore {
    /// Objects by their ids, in that order; ids that the store does not have are left out.
    public func objects(ids: [String]) throws(LabelStoreError) -> [ReviewObject] {
        try read { db in
            let find = try db.cachedStatement(sql: "SELECT * FROM object WHERE id = ?")
            return try ids.compactMap { try Row.fetchOne(find, arguments: [$0]).map(Self.object) }
        }
    }

    /// The rows of the log that count now: one for each person, object and question.
    public func countedDecisions(task: String) throws(LabelStoreError) -> [LoggedDecision] {
        let counted = try read { db in
            try Set(Int64.fetchAll(db, sql: "SELECT decision FROM vote WHERE task = ?", arguments: [task]))
        }
        return try decisions(task: task).filter { counted.contains($0.id) }
    }

    /// What is proposed for each object to a question, by id.
    public func proposals(task: String, question: String) throws(LabelStoreError) -> [String: Proposal] {
        try read { db in
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT o.id, p.* FROM proposal p JOIN object o ON o.key = p.object
                    WHERE p.task = ? AND p.question = ?
                    """, arguments: [task, question])
            var result: [String: Proposal] = [:]
            while let row = try rows.next() {
                result[row["id"]] = Proposal(
                    objectID: row["id"], task: task, question: question, answer: row["answer"],
                    probability: row["probability"], uncertainty: row["uncertainty"], score: row["score"] ?? .nan,
                    strategy: row["strategy"], modelVersion: row["model_version"])
            }
            return result
        }
    }

    /// The ids of objects by the names of their files, without folder; nil for a name that several have.
    public func idsByFileName() throws(LabelStoreError) -> [String: String?] {
        try read { db in
            let rows = try Row.fetchCursor(db, sql: "SELECT id, path FROM object")
            var result: [String: String?] = [:]
            while let row = try rows.next() {
                let (id, path): (String, String) = (row[0], row[1])
                for file in path.split(separator: ";") {
                    let name = String(file.split(separator: "/").last ?? file)
                    result[name] = .some(result[name] == nil ? id : nil)
                }
            }
            return result
        }
    }

    /// Writes many answers in one transaction, each by its own person.
    func log(_ labels: [LabelImport.Label], task taskName: String) throws(LabelStoreError) {
        try write { db in
            let task = try self.task(taskName, db)
            let now = Date().timeIntervalSince1970
            var sessions: [String: Int64] = [:]
            for label in labels {
                if sessions[label.labeller] == nil {
                    try db.execute(
                        sql: "INSERT INTO session (labeller, task, started, ended) VALUES (?, ?, ?, ?)",
                        arguments: [label.labeller, taskName, now, now])
                    sessions[label.labeller] = db.lastInsertedRowID
                }
                let isFlag = label.question == QuestionTree.artefact
                let object = try self.key(label.objectID, db)
                let insert = try db.cachedStatement(
                    sql: """
                        INSERT INTO decision (session, labeller, task, object, kind, question, answer, seconds, comment,
                            time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                        """)
                try insert.execute(arguments: [
                    sessions[label.labeller], label.labeller, taskName, object, isFlag ? "artefact" : "answer",
                    label.question, label.answer, label.seconds, label.comment, label.time ?? now,
                ])
                try replay(task, object, label.labeller, db)
            }
        }
    }
}
