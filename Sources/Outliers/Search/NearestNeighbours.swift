import Foundation
import Kernels

/// Exact k-nearest-neighbour search among the rows of a matrix.
///
/// Tiles of scores are computed in registers, compared with the threshold of each query and forgotten, so that no matrix
/// of distances exists and memory is bounded by the block of queries; rows are read where they are. The scores only select:
/// the distances of the selected are computed again in float64 from the differences, and ordered by them. Scores are
/// upper bounds (``Kernels/NearestScan``), which proves for each query that nothing outside its list is nearer than the last
/// neighbour. A query without that proof is searched again, with float32 products and a longer list. What is still without
/// it then (more equal or almost equal distances than the list holds) may have a neighbour replaced by one that is as near to
/// float32 rounding; ``Statistics`` counts them.
public struct NearestNeighbours: Sendable {
    /// Neighbours to find; fewer where there are fewer other rows.
    public var count: Int
    public var metric: DistanceMetric
    /// Bring each dimension to mean 0 and standard deviation 1 over the included rows first. Dimensions that do not
    /// vary count nothing. Euclidean only.
    public var standardise: Bool
    /// Arithmetic of the products that select.
    public var products = Products.float32
    /// Threads.
    public var workers = ProcessInfo.processInfo.activeProcessorCount
    /// Queries that a thread searches for at once, at most.
    var queryBlock = 2046

    /// Arithmetic of the products that select; the result is the same.
    public enum Products: String, Sendable, CaseIterable {
        case float32
        /// On processors with dot products of bfloat16 numbers; elsewhere float32.
        case bfloat16
    }

    /// The neighbours of one row, the nearest first; ties in the order of the rows.
    public struct Row: Sendable, Equatable {
        /// Row numbers in the matrix.
        public var indices: [Int]
        public var distances: [Double]

        public init(indices: [Int], distances: [Double]) {
            self.indices = indices
            self.distances = distances
        }

        /// Mean distance to the neighbours: the outlier score. NaN without neighbours.
        public var meanDistance: Double {
            distances.isEmpty ? .nan : distances.reduce(0, +) / Double(distances.count)
        }
    }

    /// How the search went.
    public struct Statistics: Sendable, Equatable {
        public var queries = 0
        /// Queries that were searched again.
        public var repeated = 0
        /// Of them, queries whose last neighbours are exact to float32 rounding only.
        public var undecided = 0

        public init() {}
    }

    public init(count: Int, metric: DistanceMetric = .euclidean, standardise: Bool = false) {
        precondition(count > 0, "[NearestNeighbours] expected at least one neighbour, got \(count)")
        self.count = count
        self.metric = metric
        self.standardise = standardise && metric == .euclidean
    }

    /// Finds the neighbours of every vector among the others of its set; none for one that is not finite, which is
    /// nobody's neighbour either.
    ///
    /// - Parameters:
    ///   - rows: the rows that take part, as row numbers in ascending order; all when nil.
    ///   - visit: called with the position in `rows` and the neighbours, in order of the rows. Returning false ends the search.
    @discardableResult
    public func search(
        _ vectors: some VectorSource, rows: [Int]? = nil, visit: (Int, Row) throws -> Bool
    ) rethrows -> Statistics {
        try vectors.withRows(0..<vectors.count) { values in
            guard let base = values.baseAddress else { return Statistics() }
            let list =
                rows.map { RowList(base: base, width: vectors.width, members: $0) }
                ?? RowList(base: base, width: vectors.width, count: vectors.count)
            return try search(list, among: list, excludesSelf: true, visit: visit)
        }
    }

    /// Finds the neighbours of every query in a reference set; none for a query that is not finite.
    ///
    /// - Parameters:
    ///   - rows: the rows of the reference that take part, in ascending order; all when nil.
    ///   - visit: called with the number of the query and its neighbours, in order. Returning false ends the search.
    /// - Throws: ``OutlierError`` for queries of another width.
    @discardableResult
    public func search(
        _ queries: some VectorSource, among reference: some VectorSource, rows: [Int]? = nil,
        visit: (Int, Row) throws -> Bool
    ) throws -> Statistics {
        try OutlierError.check(width: queries.width, expected: reference.width)
        return try queries.withRows(0..<queries.count) { queryValues in
            try reference.withRows(0..<reference.count) { values in
                guard let queryBase = queryValues.baseAddress else { return Statistics() }
                let list = RowList(base: queryBase, width: queries.width, count: queries.count)
                let base = values.baseAddress ?? queryBase
                let among =
                    rows.map { RowList(base: base, width: queries.width, members: $0) }
                    ?? RowList(base: base, width: queries.width, count: reference.count)
                return try search(list, among: among, excludesSelf: false, visit: visit)
            }
        }
    }

    private func search(
        _ queries: RowList, among reference: RowList, excludesSelf: Bool,
        visit: (Int, Row) throws -> Bool
    ) rethrows -> Statistics {
        precondition(reference.count < Int32.max, "[NearestNeighbours] expected less than 2³¹ rows")
        var statistics = Statistics()
        guard queries.count > 0 else { return statistics }
        let pool = WorkerPool(threads: workers)
        let scaling = RowScaling(
            reference, queries: queries, metric: metric, standardise: standardise, pool: pool)
        let block = blockSize(width: reference.width, queries: queries.count)
        var tasks = (0..<workers).map { _ in
            NeighbourTask(
                self, queries: queries, reference: reference, scaling: scaling, excludesSelf: excludesSelf,
                block: block)
        }
        for start in stride(from: 0, to: queries.count, by: block * workers) {
            tasks.withUnsafeMutableBufferPointer { tasks in
                pool.parallelFor(workers) { worker in
                    let begin = min(start + worker * block, queries.count)
                    tasks[worker].search(begin..<min(begin + block, queries.count))
                }
            }
            for worker in 0..<workers {
                for (offset, row) in tasks[worker].found.enumerated() {
                    if try !visit(start + worker * block + offset, row) { return statistics }
                }
                statistics.queries += tasks[worker].statistics.queries
                statistics.repeated += tasks[worker].statistics.repeated
                statistics.undecided += tasks[worker].statistics.undecided
            }
        }
        return statistics
    }

    /// Queries a thread takes at once: many, because each block reads and packs all rows again; but packed they should stay
    /// in the caches, and their lists small.
    private func blockSize(width: Int, queries: Int) -> Int {
        let group = NearestScan.groupSize
        let share = (queries + workers - 1) / workers
        let cached = (16 << 20) / (4 * (width + 1))
        let listed = (64 << 20) / (8 * (NeighbourTask.listLength(count, products: products) + 128))
        let size = min(queryBlock, share, max(16 * group, cached), max(group, listed))
        return (size + group - 1) / group * group
    }
}
