import Foundation

/// An embedding file that cannot be used, or a model that cannot compute one.
public struct InferenceError: Error, CustomStringConvertible, Sendable {
    public let path: String
    public let reason: String

    public init(path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(reason)" }
}

/// A matrix of float32 rows in a file, mapped into memory: the operating system keeps what is in use and drops
/// the rest.
public final class EmbeddingMatrix: Sendable {
    public let count: Int
    public let width: Int
    private nonisolated(unsafe) let base: UnsafeMutableRawPointer?
    private let length: Int

    /// Maps the whole rows of a file.
    public init(path: String, width: Int) throws(InferenceError) {
        self.width = width
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else {
            throw InferenceError(path: path, "cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        count = Int(status.st_size) / max(width * 4, 1)
        length = count * width * 4
        guard length > 0 else {
            base = nil
            return
        }
        let mapped = mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else {
            throw InferenceError(path: path, "cannot be mapped: \(String(cString: strerror(errno)))")
        }
        base = mapped
    }

    deinit {
        if let base { munmap(base, length) }
    }

    /// Calls `body` with rows `range` (row-major, `range.count × width`).
    public func withRows<Result>(
        _ range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) rethrows -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "[embeddings] rows out of range")
        let start = base?.assumingMemoryBound(to: Float.self)
        return try body(
            UnsafeBufferPointer(start: start.map { $0 + range.lowerBound * width }, count: range.count * width))
    }
}
