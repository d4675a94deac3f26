import Foundation

/// Pooled vectors of images on disk, so that training another head costs no pass through the backbone.
///
/// One pair of files for each backbone and way of pooling: a list of keys, one a line, and a matrix of float32 rows in the same
/// order. Rows are only ever appended; what an interrupted process left half is cut off by the next one.
public final class FeatureCache {
    public let width: Int
    private let matrixPath: String
    private let keys: Int32
    private let matrix: Int32
    private var rows: [String: Int] = [:]

    /// Opens or begins a cache. Another process that opens the same one waits until this one closed it.
    ///
    /// - Parameters:
    ///   - folder: for caches; made where it is not there.
    ///   - name: what the vectors depend on apart from the image: the backbone's digest, pooling, views, cropping.
    /// - Throws: `InferenceError` for a folder that cannot be written.
    public init(folder: String, name: String, width: Int) throws(InferenceError) {
        self.width = width
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw InferenceError(path: folder, "cannot be created: \(error.localizedDescription)")
        }
        let keyPath = "\(folder)/\(name).keys"
        matrixPath = "\(folder)/\(name).f32"
        keys = open(keyPath, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0o666)
        guard keys >= 0 else { throw InferenceError(path: keyPath, String(cString: strerror(errno))) }
        matrix = open(matrixPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard matrix >= 0 else {
            let reason = String(cString: strerror(errno))
            close(keys)
            throw InferenceError(path: matrixPath, reason)
        }
        flock(keys, LOCK_EX)
        let text = (try? String(contentsOfFile: keyPath, encoding: .utf8)) ?? ""
        // The last line counts only with its end.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        var status = stat()
        fstat(matrix, &status)
        let complete = min(lines.count, Int(status.st_size) / (4 * width))
        for (row, line) in lines.prefix(complete).enumerated() { rows[String(line)] = row }
        let bytes = lines.prefix(complete).reduce(0) { $0 + $1.utf8.count + 1 }
        guard ftruncate(keys, off_t(bytes)) == 0, ftruncate(matrix, off_t(complete * 4 * width)) == 0 else {
            throw InferenceError(path: matrixPath, String(cString: strerror(errno)))
        }
        count = complete
    }

    /// Rows there are.
    public private(set) var count: Int

    deinit {
        // Closing gives the lock back.
        close(matrix)
        close(keys)
    }

    /// Whether a key has a row.
    public func contains(_ key: String) -> Bool { rows[key] != nil }

    /// What names an image in the cache: its files with their sizes and times. A line without breaks.
    public static func key(_ paths: [String]) -> String {
        paths.map { path in
            var status = stat()
            guard stat(path, &status) == 0 else { return path }
            let name = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            return "\(name)|\(status.st_size)|\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        }.joined(separator: ";").filter { $0 != "\n" }
    }

    /// Appends rows.
    public func append(_ newKeys: [String], _ values: [Float]) throws {
        precondition(values.count == newKeys.count * width, "[FeatureCache] expected \(width) numbers a key")
        lseek(matrix, off_t(count * 4 * width), SEEK_SET)
        try values.withUnsafeBytes { try write($0, to: matrix) }
        let lines = Array((newKeys.joined(separator: "\n") + (newKeys.isEmpty ? "" : "\n")).utf8)
        try lines.withUnsafeBytes { try write($0, to: keys) }
        for key in newKeys {
            rows[key] = count
            count += 1
        }
    }

    /// The rows of keys, all of which must be there: keys × width numbers.
    public func values(_ wanted: [String]) throws(InferenceError) -> [Float] {
        let all = try EmbeddingMatrix(path: matrixPath, width: width)
        var result: [Float] = []
        result.reserveCapacity(wanted.count * width)
        for key in wanted {
            guard let row = rows[key] else { throw InferenceError(path: matrixPath, "has no row for \(key)") }
            all.withRows(row..<(row + 1)) { result.append(contentsOf: $0) }
        }
        return result
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(InferenceError) {
        var start = 0
        while start < bytes.count {
            let written = Glibc.write(descriptor, bytes.baseAddress! + start, bytes.count - start)
            if written < 0 {
                if errno == EINTR { continue }
                throw InferenceError(path: matrixPath, "cannot be written: \(String(cString: strerror(errno)))")
            }
            start += written
        }
    }
}
