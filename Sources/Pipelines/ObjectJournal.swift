import Foundation
import Inference

/// The append-only record of a run in progress: one JSON line an object, in input order, and beside it the
/// embeddings as raw little-endian float32 rows, one for every object that did not fail.
///
/// Memory does not grow with the number of objects, and a run that was killed continues from its last whole
/// line: `open` cuts off what was written in part.
public final class ObjectJournal {
    /// Numbers an embedding row has.
    public let embeddingWidth: Int
    /// Objects written so far, failures included.
    public private(set) var count: Int
    /// Objects with an embedding.
    public private(set) var embedded: Int
    /// Objects with an embedding for which a stage could not do its part.
    public private(set) var incomplete = 0

    private let recordsPath: String
    private let embeddingsPath: String
    private var records: UnsafeMutablePointer<FILE>?
    private var embeddings: UnsafeMutablePointer<FILE>?
    private let encoder: JSONEncoder

    /// Opens the journal in a run's work folder, continuing what is there.
    ///
    /// - Throws: `PipelineError` when the files cannot be read or written.
    public init(folder: String, embeddingWidth: Int) throws(PipelineError) {
        self.embeddingWidth = embeddingWidth
        recordsPath = folder + "/objects.jsonl"
        embeddingsPath = folder + "/embeddings.f32"
        encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        count = 0
        embedded = 0

        let rowBytes = embeddingWidth * MemoryLayout<Float>.size
        let rowsOnDisk = rowBytes == 0 ? Int.max : Self.size(of: embeddingsPath) / rowBytes
        var whole = 0
        if FileManager.default.fileExists(atPath: recordsPath) {
            let lines = try ObjectJournalReader(path: recordsPath)
            while let record = try lines.next() {
                let hasRow = record.failure == nil
                if hasRow && embedded == rowsOnDisk { break }
                count += 1
                if hasRow { embedded += 1 }
                if hasRow, record.problems != nil { incomplete += 1 }
                whole = lines.offset
            }
        }
        records = try Self.openForAppending(recordsPath, keeping: whole)
        embeddings = try Self.openForAppending(embeddingsPath, keeping: embedded * rowBytes)
    }

    deinit {
        if let records { fclose(records) }
        if let embeddings { fclose(embeddings) }
    }

    /// Appends one object.
    ///
    /// - Parameter embedding: `embeddingWidth` numbers; nil exactly for a failed object.
    /// - Throws: `PipelineError` when the disk does not take it.
    public func append(_ record: ObjectRecord, embedding: ArraySlice<Float>?) throws(PipelineError) {
        precondition(
            (embedding == nil) == (record.failure != nil), "[journal] expected an embedding or a failure, not both")
        if let embedding {
            precondition(
                embedding.count == embeddingWidth,
                "[journal] expected \(embeddingWidth) numbers, got \(embedding.count)")
            let written = embedding.withUnsafeBufferPointer { fwrite($0.baseAddress, 4, $0.count, embeddings) }
            guard written == embedding.count else { throw diskError(embeddingsPath) }
        }
        guard var line = try? encoder.encode(record) else {
            preconditionFailure("[journal] a record could not be encoded")
        }
        line.append(UInt8(ascii: "\n"))
        let written = line.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, records) }
        guard written == line.count else { throw diskError(recordsPath) }
        count += 1
        if embedding != nil { embedded += 1 }
        if embedding != nil, record.problems != nil { incomplete += 1 }
    }

    /// Objects that are in the failures table.
    var failed: Int { count - embedded + incomplete }

    /// Hands everything to the operating system, embeddings first, so that a line never stands without its row.
    public func flush() throws(PipelineError) {
        guard fflush(embeddings) == 0 else { throw diskError(embeddingsPath) }
        guard fflush(records) == 0 else { throw diskError(recordsPath) }
    }

    /// Reads the journal from its beginning. Call `flush` first.
    public func reader() throws(PipelineError) -> ObjectJournalReader {
        try ObjectJournalReader(path: recordsPath)
    }

    /// The embeddings as a matrix on disk. Call `flush` first.
    public func embeddingMatrix() throws(PipelineError) -> EmbeddingMatrix {
        do {
            return try EmbeddingMatrix(path: embeddingsPath, width: embeddingWidth)
        } catch {
            throw PipelineError(.output, path: embeddingsPath, error.reason)
        }
    }

    private func diskError(_ path: String) -> PipelineError {
        PipelineError(.output, path: path, "cannot be written: \(String(cString: strerror(errno)))")
    }

    private static func size(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    private static func openForAppending(
        _ path: String, keeping bytes: Int
    ) throws(PipelineError) -> UnsafeMutablePointer<FILE> {
        guard let file = fopen(path, "ab"), ftruncate(fileno(file), off_t(bytes)) == 0 else {
            throw PipelineError(.output, path: path, "cannot be written: \(String(cString: strerror(errno)))")
        }
        return file
    }
}

/// Reads a journal line by line.
public final class ObjectJournalReader {
    private let path: String
    private let file: UnsafeMutablePointer<FILE>
    private var line: UnsafeMutablePointer<CChar>?
    private var capacity = 0
    private let decoder = JSONDecoder()
    /// Bytes read as whole lines.
    public private(set) var offset = 0

    init(path: String) throws(PipelineError) {
        guard let file = fopen(path, "rb") else {
            throw PipelineError(.output, path: path, "cannot be read: \(String(cString: strerror(errno)))")
        }
        self.path = path
        self.file = file
    }

    deinit {
        free(line)
        fclose(file)
    }

    /// The next object; nil at the end or before a line that was not written whole.
    public func next() throws(PipelineError) -> ObjectRecord? {
        let length = getline(&line, &capacity, file)
        guard length > 0, let line, line[length - 1] == CChar(UInt8(ascii: "\n")) else { return nil }
        let data = Data(bytes: line, count: length - 1)
        guard let record = try? decoder.decode(ObjectRecord.self, from: data) else { return nil }
        offset += length
        return record
    }
}
