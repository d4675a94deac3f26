/// How a method scores.
public struct OutlierSettings: Sendable, Codable, Hashable {
    public var method: OutlierMethod
    /// Neighbours whose mean distance is the score.
    public var k: Int
    public var metric: DistanceMetric
    /// Bring each number of a vector to mean 0 and standard deviation 1 over the archive first.
    public var standardise: Bool
    /// Of the isolation forest, and of what trains an auto-encoder.
    public var seed: UInt64

    /// - Parameters:
    ///   - k: 10 when nil.
    ///   - metric: Euclidean when nil, but for the method ``OutlierMethod/cosine``.
    public init(
        _ method: OutlierMethod, k: Int? = nil, metric: DistanceMetric? = nil, standardise: Bool = false,
        seed: UInt64 = 1
    ) {
        self.method = method
        self.k = k ?? 10
        self.metric = metric ?? (method == .cosine ? .cosine : .euclidean)
        self.standardise = standardise
        self.seed = seed
    }
}
