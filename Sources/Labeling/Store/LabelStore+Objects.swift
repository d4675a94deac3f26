import Foundation
import GRDB

extension LabelStore {
    /// Adds objects, ten thousand a transaction; one that is there already (the same id) takes the new values.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func importObjects(_ objects: some Sequence<ReviewObject>) throws(LabelStoreError) -> Int {
        var iterator = objects.makeIterator()
        var total = 0
        var more = true
        while more {
            var block: [ReviewObject] = []
            block.reserveCapacity(10_000)
            while block.count < 10_000, let object = iterator.next() { block.append(object) }
            more = block.count == 10_000
            if block.isEmpty { break }
            try write { db in
                let statement = try db.cachedStatement(
                    sql: """
                        INSERT INTO object (id, path, ra, dec, row, metadata) VALUES (?, ?, ?, ?, ?, ?)
                        ON CONFLICT (id) DO UPDATE SET path = excluded.path, ra = excluded.ra, dec = excluded.dec,
                            row = excluded.row, metadata = excluded.metadata
                        """)
                for object in block {
                    try statement.execute(arguments: [
                        object.id, object.path, object.ra, object.dec, object.row, Self.text(object.metadata),
                    ])
                }
            }
            total += block.count
        }
        return total
    }

    public func objectCount() throws(LabelStoreError) -> Int {
        try read { db in try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM object") ?? 0 }
    }

    /// nil for an id that the store does not have.
    public func object(id: String) throws(LabelStoreError) -> ReviewObject? {
        try read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM object WHERE id = ?", arguments: [id]).map(Self.object)
        }
    }

    /// The object in a row of the run's embeddings, such as a neighbour found there.
    public func object(row: Int) throws(LabelStoreError) -> ReviewObject? {
        try read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM object WHERE row = ?", arguments: [row]).map(Self.object)
        }
    }

    /// Objects whose id begins with some text, by id.
    public func find(_ prefix: String, limit: Int = 20) throws(LabelStoreError) -> [ReviewObject] {
        try read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM object WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
                arguments: [prefix, prefix + "\u{10FFFF}", limit]
            ).map(Self.object)
        }
    }

    /// All objects with an embedding: id and row, by row.
    public func rows() throws(LabelStoreError) -> [(id: String, row: Int)] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT id, row FROM object WHERE row >= 0 ORDER BY row").map { ($0[0], $0[1]) }
        }
    }

    static func object(_ row: Row) -> ReviewObject {
        ReviewObject(
            id: row["id"], path: row["path"], ra: row["ra"], dec: row["dec"], row: row["row"],
            metadata: numbers(row["metadata"]))
    }

    private static func text(_ metadata: [String: Double]) -> String? {
        let finite = metadata.filter(\.value.isFinite)
        guard !finite.isEmpty, let data = try? JSONEncoder().encode(finite) else { return nil }
        return String(decoding: data, as: UTF8.self)
    }

    private static func numbers(_ text: String?) -> [String: Double] {
        guard let text else { return [:] }
        return (try? JSONDecoder().decode([String: Double].self, from: Data(text.utf8))) ?? [:]
    }

    /// The key of an object.
    func key(_ id: String, _ db: Database) throws -> Int64 {
        guard let key = try Int64.fetchOne(db, sql: "SELECT key FROM object WHERE id = ?", arguments: [id]) else {
            throw unknown("has no object '\(id)'")
        }
        return key
    }
}
