import GRDB

/// What follows from the log: votes, who is through with what, which objects are retired.
extension LabelStore {
    /// Works out anew what a labeller says of an object, from the log.
    func replay(_ task: LabelTask, _ object: Int64, _ labeller: String, _ db: Database) throws {
        let log = try db.cachedStatement(
            sql: """
                SELECT id, kind, question, answer, session FROM decision d
                WHERE task = ? AND object = ? AND labeller = ? AND kind IN ('answer', 'artefact', 'skip')
                    AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.cancels = d.id)
                ORDER BY id
                """)
        var votes: [String: (answer: String, decision: Int64)] = [:]
        var isDone = false
        var skippedIn: Int64?
        for row in try Row.fetchAll(log, arguments: [task.name, object, labeller]) {
            let (id, kind): (Int64, String) = (row[0], row[1])
            switch kind {
            case "skip":
                isDone = true
                skippedIn = row[4]
            case "artefact":
                votes = [QuestionTree.artefact: (QuestionTree.artefact, id)]
                (isDone, skippedIn) = (true, nil)
            default:
                let (question, name): (String, String) = (row[2], row[3])
                votes[QuestionTree.artefact] = nil
                for later in task.tree.descendants(of: question) { votes[later] = nil }
                votes[question] = (name, id)
                // Done as soon as the tree asks nothing more.
                isDone = task.tree.question(question)?.answer(named: name)?.next == nil
                skippedIn = nil
            }
        }
        try db.execute(
            sql: "DELETE FROM vote WHERE task = ? AND object = ? AND labeller = ?",
            arguments: [task.name, object, labeller])
        for (question, vote) in votes {
            try db.execute(
                sql: "INSERT INTO vote (task, object, question, labeller, answer, decision) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [task.name, object, question, labeller, vote.answer, vote.decision])
        }
        if isDone {
            try db.execute(
                sql: "INSERT OR REPLACE INTO done (task, labeller, object, skipped_in) VALUES (?, ?, ?, ?)",
                arguments: [task.name, labeller, object, skippedIn])
            try db.execute(
                sql: """
                    DELETE FROM lease WHERE task = ?1 AND object = ?2
                        AND session IN (SELECT id FROM session WHERE labeller = ?3)
                    """, arguments: [task.name, object, labeller])
        } else {
            try db.execute(
                sql: "DELETE FROM done WHERE task = ? AND labeller = ? AND object = ?",
                arguments: [task.name, labeller, object])
            try reopen(task: task.name, object: object, labeller: labeller, db)
        }
        try updateRetirement(task, object, db)
    }

    /// Closes or opens an object in the queue by the task's rule.
    func updateRetirement(_ task: LabelTask, _ object: Int64, _ db: Database) throws {
        let find = try db.cachedStatement(
            sql: "SELECT question, answer, labeller FROM vote WHERE task = ? AND object = ? ORDER BY decision")
        var answers: [String: [String]] = [:]
        var people: [String: [String: String]] = [:]
        for row in try Row.fetchAll(find, arguments: [task.name, object]) {
            answers[row[0], default: []].append(row[1])
            people[row[2], default: [:]][row[0]] = row[1]
        }
        let finished = people.values.count { task.tree.isFinished($0) }
        let artefacts = answers.removeValue(forKey: QuestionTree.artefact)?.count ?? 0
        let isRetired = task.retirement.isRetired(
            answers, artefacts: artefacts, finished: finished, tree: task.tree)
        try db.execute(
            sql: "UPDATE queue SET open = ?1 WHERE task = ?2 AND object = ?3 AND open <> ?1",
            arguments: [isRetired ? 0 : 1, task.name, object])
        if db.changesCount > 0, !isRetired { try reopen(task: task.name, object: object, labeller: nil, db) }
    }
}
