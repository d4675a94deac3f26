import Foundation
import GRDB

public typealias SessionID = Int64
public typealias DecisionID = Int64

/// The labels of a run: its objects, what is proposed for them, and everything that people have said.
///
/// One SQLite file, `labels.sqlite` in the run folder. Several processes may use it at once. A decision is on the disk when
/// the call that makes it returns; the log of decisions only grows.
///
///     let store = try LabelStore(path: "RUN/labels.sqlite")
///     try store.importObjects(objects)
///     try store.defineTask("outliers", tree: .outlier)
///     try store.replaceProposals(task: "outliers", proposals)
///     let session = try store.startSession(labeller: "edwin", task: "outliers")
///     let entry = try store.next(session, lookAhead: 8)[0]
///     try store.decide(session, objectID: entry.object.id, question: "interest", answer: "5", seconds: 1.2)
public final class LabelStore: Sendable {
    public let path: String
    /// How long an object stays reserved for a reviewer after the last call of ``next(_:lookAhead:now:)``, seconds.
    public let leaseSeconds: Double
    let queue: DatabaseQueue

    /// The name of the file in a run folder.
    public static let fileName = "labels.sqlite"
    /// "Lntc": says that a database is one of ours.
    static let applicationID = 0x4C6E_7463

    /// Opens a store, or makes one.
    ///
    /// - Parameters:
    ///   - busyTimeout: how long to wait for another process, seconds.
    ///   - leaseSeconds: see the property.
    /// - Throws: ``LabelStoreError`` for a file that is locked, damaged, read-only, newer or none of this program.
    public init(path: String, busyTimeout: Double = 5, leaseSeconds: Double = 600) throws(LabelStoreError) {
        self.path = path
        self.leaseSeconds = leaseSeconds
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(busyTimeout)
        configuration.label = "labels"
        configuration.maximumReaderCount = 1
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
        do {
            try Self.refuseForeign(path)
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try Self.migrate(queue, path: path)
        } catch {
            throw LabelStoreError(error, path: path)
        }
    }

    /// Looks at a file before its journal mode is changed: what is not ours stays as it is.
    private static func refuseForeign(_ path: String) throws {
        guard let file = FileHandle(forReadingAtPath: path) else { return }
        defer { try? file.close() }
        let header = (try? file.read(upToCount: 100)) ?? Data()
        guard !header.isEmpty else { return }
        guard header.count == 100, header.starts(with: Data("SQLite format 3\0".utf8)) else {
            throw LabelStoreError(.notADatabase, path: path, "is no label store: it does not begin as a database does")
        }
        // Offset 68 of the header, big-endian; 0 in a database that was never given one.
        let id = header[68..<72].reduce(0) { $0 << 8 | Int($1) }
        guard id == applicationID || id == 0 else {
            throw LabelStoreError(.notADatabase, path: path, "is a database of another program")
        }
    }

    /// Reads in one consistent view.
    func read<Value>(_ body: (Database) throws -> Value) throws(LabelStoreError) -> Value {
        do { return try queue.read(body) } catch { throw LabelStoreError(error, path: path) }
    }

    /// Writes in one transaction that is on the disk when this returns.
    func write<Value>(_ body: (Database) throws -> Value) throws(LabelStoreError) -> Value {
        do { return try queue.writeWithoutTransaction { try Self.transaction($0, body) } } catch {
            throw LabelStoreError(error, path: path)
        }
    }

    /// Writes what a power cut may undo, such as leases, without waiting for the disk. What was durable before stays so.
    func writeLightly<Value>(_ body: (Database) throws -> Value) throws(LabelStoreError) -> Value {
        do {
            return try queue.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = NORMAL")
                defer { try? db.execute(sql: "PRAGMA synchronous = FULL") }
                return try Self.transaction(db, body)
            }
        } catch {
            throw LabelStoreError(error, path: path)
        }
    }

    /// What the body returns, in a transaction that takes the lock at once.
    private static func transaction<Value>(_ db: Database, _ body: (Database) throws -> Value) throws -> Value {
        var value: Value?
        try db.inTransaction(.immediate) {
            value = try body(db)
            return .commit
        }
        return value!
    }

    func unknown(_ what: String) -> LabelStoreError { LabelStoreError(.unknown, path: path, what) }
}
