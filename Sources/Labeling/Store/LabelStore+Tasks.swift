import Foundation
import GRDB

/// A task: what is asked, and when an object is done with.
public struct LabelTask: Sendable, Equatable {
    public var name: String
    public var tree: QuestionTree
    public var retirement: Retirement
    /// How its queue is made, as `queue build` was told; empty where it was made by hand.
    public var strategy: String
}

extension LabelStore {
    /// Says what a task asks; again for a change of its tree or its rules. Decisions stay.
    public func defineTask(
        _ name: String, tree: QuestionTree, retirement: Retirement = .single, strategy: String = ""
    ) throws(LabelStoreError) {
        try write { db in
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            try db.execute(
                sql: """
                    INSERT INTO task (name, tree, retirement, strategy) VALUES (?, ?, ?, ?)
                    ON CONFLICT (name) DO UPDATE SET tree = excluded.tree, retirement = excluded.retirement,
                        strategy = excluded.strategy
                    """,
                arguments: [
                    name, String(decoding: try encoder.encode(tree), as: UTF8.self),
                    String(decoding: try encoder.encode(retirement), as: UTF8.self), strategy,
                ])
            let reviewed = try Int64.fetchAll(
                db, sql: "SELECT DISTINCT object FROM vote WHERE task = ?", arguments: [name])
            let task = LabelTask(name: name, tree: tree, retirement: retirement, strategy: strategy)
            for object in reviewed { try updateRetirement(task, object, db) }
            try db.execute(sql: "DELETE FROM position WHERE task = ?", arguments: [name])
        }
    }

    public func tasks() throws(LabelStoreError) -> [LabelTask] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM task ORDER BY name").map(Self.task)
        }
    }

    /// - Throws: ``LabelStoreError`` (`unknown`) that names the tasks there are.
    public func task(_ name: String) throws(LabelStoreError) -> LabelTask {
        try read { db in try self.task(name, db) }
    }

    func task(_ name: String, _ db: Database) throws -> LabelTask {
        if let row = try Row.fetchOne(db, sql: "SELECT * FROM task WHERE name = ?", arguments: [name]) {
            return try Self.task(row)
        }
        let known = try String.fetchAll(db, sql: "SELECT name FROM task ORDER BY name")
        throw unknown(
            "has no task '\(name)'; there "
                + (known.isEmpty ? "is none yet: build a queue first" : "are \(known.joined(separator: ", "))"))
    }

    private static func task(_ row: Row) throws -> LabelTask {
        let decoder = JSONDecoder()
        let (tree, retirement): (String, String) = (row["tree"], row["retirement"])
        return LabelTask(
            name: row["name"], tree: try decoder.decode(QuestionTree.self, from: Data(tree.utf8)),
            retirement: try decoder.decode(Retirement.self, from: Data(retirement.utf8)),
            strategy: row["strategy"])
    }
}
