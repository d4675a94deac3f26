/// A fitted method that tells how unusual vectors are.
public protocol OutlierScorer: Sendable {
    /// What tables and files call the method.
    var name: String { get }

    /// A score for each vector, higher = more unusual; NaN for a vector with a number that is not finite.
    ///
    /// - Throws: ``OutlierError`` with ``OutlierError/Kind/widthMismatch`` for vectors of another width than those of the fit.
    func scores(_ vectors: VectorSet) throws -> [Double]
}

/// Vectors in memory.
public struct VectorSet: Sendable {
    public let count: Int
    public let width: Int
    /// Row-major, (count, width).
    public let values: [Float]

    public init(count: Int, width: Int, values: [Float]) {
        precondition(
            count >= 0 && width > 0 && values.count == count * width,
            "[VectorSet] expected \(count) × \(width) numbers, got \(values.count)")
        self.count = count
        self.width = width
        self.values = values
    }
}
