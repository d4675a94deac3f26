import Foundation
import GRDB
import Labeling
import TestSupport
import Testing

@Suite(.serialized) struct DurabilityTests {
    /// `LABEL_KILLS` asks for more kills than the default: the script benchmarks/labeling/kills.sh does.
    static let kills = ProcessInfo.processInfo.environment["LABEL_KILLS"].flatMap(Int.init) ?? 50

    @Test func whatAKilledReviewerWasToldIsInTheLog() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/labels.sqlite"
            _ = try makeStore(folder, objects: 50 * Self.kills + 1000)
            var random = SystemRandomNumberGenerator()
            var told: [(id: Int64, object: String, answer: String)] = []
            var undone: Set<Int64> = []
            for round in 0..<Self.kills {
                let writer = try Writer(path, labeller: "reviewer-\(round % 3)", count: 1_000_000)
                usleep(UInt32.random(in: 200...60_000, using: &random))
                let said = writer.kill()
                told += said.decisions
                undone.formUnion(said.undone)
            }
            #expect(told.count > Self.kills)
            let store = try LabelStore(path: path)
            let log = try store.decisions(task: "outliers")
            let byID = Dictionary(uniqueKeysWithValues: log.map { ($0.id, $0) })
            for decision in told {
                let row = try #require(byID[decision.id])
                #expect(row.objectID == decision.object && row.answer == decision.answer)
            }
            for id in undone { #expect(byID[id]?.isCancelled == true) }
            #expect(log.map(\.id) == Array(1...Int64(log.count)))
            let check = try DatabaseQueue(path: path).read { db in
                try String.fetchAll(db, sql: "PRAGMA integrity_check")
                    + String.fetchAll(db, sql: "PRAGMA foreign_key_check")
            }
            #expect(check == ["ok"])
            // What follows from the log is what a fresh count over it gives.
            let votes = try store.voteCounts(task: "outliers").reduce(0) { $0 + $1.total }
            let standing = log.filter { $0.kind == .answer && !$0.isCancelled }
            #expect(votes == Set(standing.map { [$0.objectID, $0.labeller] }).count)
            print("\(Self.kills) kills: \(told.count) decisions told, \(log.count) rows in the log, none lost")
        }
    }

    @Test func theLogCannotBeChanged() throws {
        try withTemporaryFolder { folder in
            let store = try makeStore(folder, objects: 2)
            let session = try store.startSession(labeller: "a", task: "outliers")
            try store.decide(session, objectID: "galaxy-0", question: "interest", answer: "5")
            let database = try DatabaseQueue(path: store.path)
            for change in ["UPDATE decision SET answer = '0'", "DELETE FROM decision"] {
                #expect(throws: DatabaseError.self) { try database.write { try $0.execute(sql: change) } }
            }
        }
    }

    @Test func twoReviewersNeverHoldTheSameObject() throws {
        try withTemporaryFolder { folder in
            let path = try makeStore(folder, objects: 400).path
            let seen = Seen()
            let threads = (0..<2).map { number in
                Thread {
                    do {
                        let store = try LabelStore(path: path, busyTimeout: 30)
                        let session = try store.startSession(labeller: "reviewer-\(number)", task: "outliers")
                        while let entry = try store.next(session, lookAhead: 3).first {
                            seen.add(entry.object.id)
                            try store.decide(session, objectID: entry.object.id, question: "interest", answer: "2")
                        }
                    } catch { seen.fail("\(error)") }
                    seen.end()
                }
            }
            for thread in threads { thread.start() }
            while seen.ended < 2 { usleep(2000) }
            #expect(seen.failures.isEmpty)
            #expect(seen.ids.count == 400 && Set(seen.ids).count == 400)
        }
    }
}

/// What both reviewers saw.
private final class Seen: @unchecked Sendable {
    // All under the lock.
    private let lock = NSLock()
    private var all: [String] = []
    private var errors: [String] = []
    private var done = 0

    func add(_ id: String) { lock.withLock { all.append(id) } }
    func fail(_ reason: String) { lock.withLock { errors.append(reason) } }
    func end() { lock.withLock { done += 1 } }
    var ids: [String] { lock.withLock { all } }
    var failures: [String] { lock.withLock { errors } }
    var ended: Int { lock.withLock { done } }
}
