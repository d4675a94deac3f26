import Foundation
import GRDB
import Labeling
import TestSupport
import Testing

@Suite struct FaultTests {
    private func kind(_ body: () throws -> Void) -> LabelStoreError.Kind? {
        do {
            try body()
            return nil
        } catch {
            return (error as? LabelStoreError)?.kind
        }
    }

    @Test func whatIsNoLabelStoreIsRefusedAndLeftAsItIs() throws {
        try withTemporaryFolder { folder in
            let text = folder + "/text.sqlite"
            try "this is a letter, and no database".write(toFile: text, atomically: true, encoding: .utf8)
            #expect(kind { _ = try LabelStore(path: text) } == .notADatabase)
            #expect(try String(contentsOfFile: text, encoding: .utf8) == "this is a letter, and no database")

            let other = folder + "/other.sqlite"
            try DatabaseQueue(path: other).write { try $0.execute(sql: "CREATE TABLE bookmark (url TEXT)") }
            #expect(kind { _ = try LabelStore(path: other) } == .notADatabase)
            #expect(try DatabaseQueue(path: other).read { try $0.tableExists("bookmark") && !$0.tableExists("object") })
            #expect(kind { _ = try LabelStore(path: folder + "/no/such/labels.sqlite") } == .cannotOpen)
        }
    }

    @Test func aStoreOfANewerVersionIsRefused() throws {
        try withTemporaryFolder { folder in
            let path = try makeStore(folder, objects: 1).path
            try DatabaseQueue(path: path).write {
                try $0.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('99 from the future')")
            }
            #expect(kind { _ = try LabelStore(path: path) } == .newerSchema)
        }
    }

    @Test func damageIsNamedAndNeverACrash() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/labels.sqlite"
            try { _ = try makeStore(folder, objects: 2000) }()
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            var kinds: [LabelStoreError.Kind?] = []
            for round in 0..<20 {
                var damaged = whole
                if round % 4 == 3 {
                    damaged = whole.prefix(whole.count * round / 25)
                } else {
                    let start = 4096 * round * (whole.count / 4096) / 20
                    for byte in start..<min(start + 8192, damaged.count) {
                        damaged[byte] = UInt8(truncatingIfNeeded: byte &* 31 &+ round)
                    }
                }
                for rest in ["-wal", "-shm"] { unlink(path + rest) }
                try damaged.write(to: URL(fileURLWithPath: path))
                kinds.append(
                    kind {
                        let store = try LabelStore(path: path)
                        let session = try store.startSession(labeller: "a", task: "outliers")
                        _ = try store.next(session, lookAhead: 100)
                        _ = try store.ranking(task: "outliers", limit: 5000)
                        try store.decide(session, objectID: "galaxy-0", question: "interest", answer: "1")
                    })
            }
            #expect(kinds.contains(.corrupted))
            #expect(kinds.contains(.notADatabase))
        }
    }

    @Test func aLockThatDoesNotGoAwayIsNamed() throws {
        try withTemporaryFolder { folder in
            let path = try makeStore(folder, objects: 2).path
            let store = try LabelStore(path: path, busyTimeout: 0.1)
            let session = try store.startSession(labeller: "a", task: "outliers")
            let other = try DatabaseQueue(path: path)
            try other.writeWithoutTransaction { db in
                try db.execute(sql: "BEGIN EXCLUSIVE")
                #expect(
                    kind { try store.decide(session, objectID: "galaxy-0", question: "interest", answer: "1") }
                        == .locked)
                try db.execute(sql: "ROLLBACK")
            }
            try store.decide(session, objectID: "galaxy-0", question: "interest", answer: "1")
        }
    }

    @Test func aFullDiskIsNamedAndLosesNothing() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/labels.sqlite"
            try { _ = try makeStore(folder, objects: 5000) }()
            let limit = try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) / 512 + 100
            // A file may grow to the limit and then no further, as on a disk without room. `dash` counts blocks of 512 bytes.
            let result = try run("trap '' XFSZ; ulimit -f \(limit); exec '\(Writer.path)' '\(path)' a 100000")
            #expect(result.status == 1)
            #expect(result.errors.contains("disk"))
            let told = result.output.split(separator: "\n").filter { $0.split(separator: " ").count == 3 }
            #expect(!told.isEmpty)
            let log = try LabelStore(path: path).decisions(task: "outliers")
            let known = Set(log.map { "\($0.id) \($0.objectID) \($0.answer ?? "")" })
            #expect(told.allSatisfy { known.contains(String($0)) })
        }
    }

    @Test func aReadOnlyFolderIsNamed() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/labels.sqlite"
            try { _ = try makeStore(folder, objects: 5) }()
            try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: path)
            try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder)
            defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder) }
            // Root may write everywhere: then the writer runs as nobody.
            let nobody = getuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : ""
            let result = try run("exec \(nobody)'\(Writer.path)' '\(path)' a 10")
            #expect(result.status == 1)
            #expect(result.errors.contains("read-only") || result.errors.contains("may you write"))
            #expect(!result.output.contains("galaxy"))
        }
    }

    private func run(_ command: String) throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let problem = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: text, as: UTF8.self), String(decoding: problem, as: UTF8.self)
        )
    }
}
