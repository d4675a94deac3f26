import Foundation
import Inference
import Pipelines
import Testing

@Suite("Journal of a run")
struct ObjectJournalTests {
    static func temporaryFolder() throws -> String {
        let path = NSTemporaryDirectory() + "lenticular-journal-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    static func record(_ number: Int) -> ObjectRecord {
        ObjectRecord(
            id: "object \"\(number)\"\n", files: ["a/\(number).fits"], ra: Double(number) / 3, dec: -45.5, width: 64,
            height: 64, bands: ["g", "r"], maskFraction: 0.25, flags: 5,
            failure: number % 4 == 3 ? .init(stage: "load", reason: "truncated — naïve") : nil)
    }

    static func fill(_ journal: ObjectJournal, _ range: Range<Int>) throws {
        for number in range {
            let record = record(number)
            try journal.append(record, embedding: record.failure == nil ? [Float(number), 1, 2][...] : nil)
        }
        try journal.flush()
    }

    @Test("what was appended is read back in order")
    func roundTrip() throws {
        let folder = try Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let journal = try ObjectJournal(folder: folder, embeddingWidth: 3)
        try Self.fill(journal, 0..<10)
        #expect(journal.count == 10 && journal.embedded == 8)
        let reader = try journal.reader()
        for number in 0..<10 { #expect(try reader.next() == Self.record(number)) }
        #expect(try reader.next() == nil)
        let matrix = try journal.embeddingMatrix()
        #expect(matrix.count == 8)
        matrix.withRows(3..<5) { #expect(Array($0) == [4, 1, 2, 5, 1, 2]) }
    }

    @Test("a journal cut at any byte continues after its last whole line, with as many embeddings as lines")
    func cut() throws {
        let folder = try Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            let journal = try ObjectJournal(folder: folder, embeddingWidth: 3)
            try Self.fill(journal, 0..<6)
        }
        let records = try Data(contentsOf: URL(fileURLWithPath: folder + "/objects.jsonl"))
        let embeddings = try Data(contentsOf: URL(fileURLWithPath: folder + "/embeddings.f32"))
        for recordBytes in stride(from: 0, through: records.count, by: 13) {
            for embeddingBytes in stride(from: 0, through: embeddings.count, by: 5) {
                try records.prefix(recordBytes).write(to: URL(fileURLWithPath: folder + "/objects.jsonl"))
                try embeddings.prefix(embeddingBytes).write(to: URL(fileURLWithPath: folder + "/embeddings.f32"))
                let journal = try ObjectJournal(folder: folder, embeddingWidth: 3)
                let resumed = journal.count
                #expect(resumed <= 6)
                try Self.fill(journal, resumed..<6)
                let reader = try journal.reader()
                for number in 0..<6 { #expect(try reader.next() == Self.record(number)) }
                #expect(try Data(contentsOf: URL(fileURLWithPath: folder + "/embeddings.f32")) == embeddings)
            }
        }
    }

    @Test("a folder that is no run folder is never cleared")
    func foreignFolder() throws {
        let folder = try Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try "mine".write(toFile: folder + "/notes.txt", atomically: true, encoding: .utf8)
        #expect(throws: PipelineError.self) { try RunFolder(path: folder).prepare(resume: false, overwrite: true) }
        #expect(FileManager.default.fileExists(atPath: folder + "/notes.txt"))
    }

    @Test("an interrupted run is continued only when asked, and a finished one replaced only when asked")
    func states() throws {
        let folder = try Self.temporaryFolder() + "/run"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let run = RunFolder(path: folder)
        #expect(try run.prepare(resume: false, overwrite: false) == false)
        try run.write("version: 1", to: run.configuration)
        #expect(throws: PipelineError.self) { try run.prepare(resume: false, overwrite: false) }
        #expect(try run.prepare(resume: true, overwrite: false) == true)
        try run.write("{}", to: run.provenance)
        try run.removeWork()
        #expect(throws: PipelineError.self) { try run.prepare(resume: true, overwrite: false) }
        try run.write("mine", to: run.file("notes.txt"))
        #expect(try run.prepare(resume: false, overwrite: true) == false)
        #expect(FileManager.default.fileExists(atPath: run.file("notes.txt")))
        #expect(!FileManager.default.fileExists(atPath: run.provenance))
    }

    @Test("the digest is SHA-256")
    func digest() throws {
        // FIPS 180-2, appendix B.1.
        var digest = Digest()
        digest.update("abc")
        #expect(digest.finish() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("progress says rate and time left")
    func progress() {
        let progress = Progress("embed", total: 200, unit: "objects", enabled: false)
        let line = progress.line(50, elapsed: 10)
        #expect(
            line.contains("50/200 objects") && line.contains("25 %") && line.contains("5.0/s")
                && line.contains("30 s left"))
        #expect(Progress.duration(7510) == "2 h 05 min")
        #expect(Progress.duration(61) == "1 min 01 s")
    }
}
