import Foundation
import GRDB

extension LabelStore {
    /// Begins a review. Objects that this labeller skipped in earlier sessions come again, and what earlier sessions of theirs
    /// had reserved is free: one that was killed in the middle of an object goes on there.
    public func startSession(labeller: String, task: String) throws(LabelStoreError) -> SessionID {
        try write { db in
            _ = try self.task(task, db)
            let skipped = try Int64.fetchAll(
                db, sql: "SELECT object FROM done WHERE task = ? AND labeller = ? AND skipped_in IS NOT NULL",
                arguments: [task, labeller])
            for object in skipped {
                try db.execute(
                    sql: "DELETE FROM done WHERE task = ? AND labeller = ? AND object = ?",
                    arguments: [task, labeller, object])
                try reopen(task: task, object: object, labeller: labeller, db)
            }
            try db.execute(
                sql: "DELETE FROM lease WHERE task = ? AND session IN (SELECT id FROM session WHERE labeller = ?)",
                arguments: [task, labeller])
            try db.execute(
                sql: "INSERT INTO session (labeller, task, started) VALUES (?, ?, ?)",
                arguments: [labeller, task, Date().timeIntervalSince1970])
            return db.lastInsertedRowID
        }
    }

    /// Gives back everything that is reserved for a session, and ends it. Decisions are not touched.
    public func release(_ session: SessionID) throws(LabelStoreError) {
        try write { db in
            try db.execute(sql: "DELETE FROM lease WHERE session = ?", arguments: [session])
            try db.execute(
                sql: "UPDATE session SET ended = ? WHERE id = ?", arguments: [Date().timeIntervalSince1970, session])
        }
    }

    /// The objects to show next, in rank order: the one that is due and up to `lookAhead` after it.
    ///
    /// Objects that this labeller has decided or skipped, that are retired, or that another session has reserved are left
    /// out. What is returned is reserved for this session for ``leaseSeconds``, so that no two reviewers have the same object.
    ///
    /// - Parameter now: seconds since 1970; the clock's by default.
    /// - Returns: nothing where the queue is done.
    public func next(
        _ session: SessionID, lookAhead: Int = 0, now: Double = Date().timeIntervalSince1970
    ) throws(LabelStoreError) -> [QueueEntry] {
        try writeLightly { db in
            let (labeller, task) = try self.session(session, db)
            let position = try db.cachedStatement(sql: "SELECT rank FROM position WHERE task = ? AND labeller = ?")
            let start = try Int.fetchOne(position, arguments: [task, labeller]) ?? 0
            // Behind what this labeller is through with: a long scan happens once.
            let first = try db.cachedStatement(
                sql: """
                    SELECT rank FROM queue WHERE task = ?1 AND open = 1 AND rank > ?2
                        AND NOT EXISTS (SELECT 1 FROM done
                            WHERE done.task = ?1 AND done.labeller = ?3 AND done.object = queue.object)
                    ORDER BY rank LIMIT 1
                    """)
            guard let due = try Int.fetchOne(first, arguments: [task, start, labeller]) else { return [] }
            if due - 1 != start {
                try db.execute(
                    sql: "INSERT OR REPLACE INTO position (task, labeller, rank) VALUES (?, ?, ?)",
                    arguments: [task, labeller, due - 1])
            }
            let free = try db.cachedStatement(
                sql: """
                    SELECT rank, object FROM queue WHERE task = ?1 AND open = 1 AND rank > ?2
                        AND NOT EXISTS (SELECT 1 FROM done
                            WHERE done.task = ?1 AND done.labeller = ?3 AND done.object = queue.object)
                        AND NOT EXISTS (SELECT 1 FROM lease
                            WHERE lease.task = ?1 AND lease.object = queue.object AND lease.session <> ?4
                                AND lease.expires > ?5)
                    ORDER BY rank LIMIT ?6
                    """)
            let found = try Row.fetchAll(
                free, arguments: [task, due - 1, labeller, session, now, max(0, lookAhead) + 1])
            let reserve = try db.cachedStatement(
                sql: "INSERT OR REPLACE INTO lease (task, object, session, expires) VALUES (?, ?, ?, ?)")
            return try found.map { row in
                let key: Int64 = row[1]
                try reserve.execute(arguments: [task, key, session, now + leaseSeconds])
                return try self.entry(task: task, key: key, rank: row[0], db)
            }
        }
    }

    func session(_ id: SessionID, _ db: Database) throws -> (labeller: String, task: String) {
        let find = try db.cachedStatement(sql: "SELECT labeller, task FROM session WHERE id = ?")
        guard let row = try Row.fetchOne(find, arguments: [id]) else { throw unknown("has no session \(id)") }
        return (row[0], row[1])
    }

    /// Lets a scan begin at an object again: that of one labeller, or of all.
    func reopen(task: String, object: Int64, labeller: String?, _ db: Database) throws {
        let rank = try Int.fetchOne(
            db, sql: "SELECT rank FROM queue WHERE task = ? AND object = ?", arguments: [task, object])
        guard let rank else { return }
        try db.execute(
            sql: "UPDATE position SET rank = ?1 WHERE task = ?2 AND rank > ?1 AND (?3 IS NULL OR labeller = ?3)",
            arguments: [rank - 1, task, labeller])
    }
}
