import Inference

/// Rows of float32 numbers, in memory or in a mapped file.
public protocol VectorSource: Sendable {
    var count: Int { get }
    var width: Int { get }

    /// Calls `body` with rows `range` (row-major, `range.count × width`).
    func withRows<Result>(
        _ range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) rethrows -> Result
}

extension EmbeddingMatrix: VectorSource {}

extension VectorSet: VectorSource {
    public func withRows<Result>(
        _ range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) rethrows -> Result {
        try values.withUnsafeBufferPointer {
            try body(UnsafeBufferPointer(rebasing: $0[(range.lowerBound * width)..<(range.upperBound * width)]))
        }
    }
}

extension VectorSource {
    /// The rows without a number that is not finite, in ascending order.
    func finiteRows() -> [Int] {
        (0..<count).filter { row in withRows(row..<row + 1) { $0.allSatisfy(\.isFinite) } }
    }
}
