import Foundation

/// Mean distance to the k nearest vectors of a reference set.
public struct KNNScorer: StoredScorer {
    /// `knn`, or `knn-cosine`.
    public var name: String { metric == .cosine ? "knn-cosine" : "knn" }
    /// Number k of neighbours.
    public let k: Int
    public let metric: DistanceMetric
    public let standardise: Bool
    /// What vectors are compared with.
    public let reference: VectorSet

    /// - Parameters:
    ///   - reference: more than `k` of its vectors must be finite; the others are never neighbours.
    ///   - standardise: bring each number to mean 0 and standard deviation 1 over the reference. Euclidean only.
    public init(
        k: Int, metric: DistanceMetric = .euclidean, standardise: Bool = false, reference: VectorSet
    ) throws(OutlierError) {
        guard k > 0 else { throw OutlierError(.invalidSetting, "expected at least one neighbour, got k = \(k)") }
        let usable = reference.finiteRows().count
        guard usable > k else {
            throw OutlierError(.tooFewVectors, "\(k) neighbours need more than \(k) finite vectors, got \(usable)")
        }
        self.k = k
        self.metric = metric
        self.standardise = standardise
        self.reference = reference
    }

    public func scores(_ vectors: VectorSet) throws -> [Double] {
        try neighbours(vectors).map(\.meanDistance)
    }

    /// Scores of the reference's own vectors, each without itself among its neighbours.
    public func selfScores() -> [Double] { selfNeighbours().map(\.meanDistance) }

    /// The neighbours in the reference; none for a vector that is not finite.
    public func neighbours(_ vectors: VectorSet) throws -> [NearestNeighbours.Row] {
        var rows: [NearestNeighbours.Row] = []
        try search.search(vectors, among: reference) { _, row in
            rows.append(row)
            return true
        }
        return rows
    }

    /// The neighbours of the reference's own vectors, each without itself.
    public func selfNeighbours() -> [NearestNeighbours.Row] {
        var rows: [NearestNeighbours.Row] = []
        search.search(reference) { _, row in
            rows.append(row)
            return true
        }
        return rows
    }

    private var search: NearestNeighbours { NearestNeighbours(count: k, metric: metric, standardise: standardise) }

    // MARK: - Files

    public func save(to path: String) throws {
        try ScorerFile.write(
            "knn", [("reference", reference.values, [reference.count, reference.width])],
            strings: ["k": String(k), "metric": metric.rawValue, "standardise": String(standardise)], to: path)
    }

    public init(path: String) throws {
        let file = try ScorerFile(path: path, method: "knn")
        let (values, shape) = try file.tensor("reference", dimensions: 2)
        guard let metric = DistanceMetric(rawValue: try file.value("metric")) else {
            throw file.invalid("\"metric\" is no distance")
        }
        try self.init(
            k: file.value("k"), metric: metric, standardise: file.value("standardise"),
            reference: VectorSet(count: shape[0], width: shape[1], values: values))
    }
}
