internal import CHNSW
import Foundation
import Kernels

/// A graph of vectors in which near ones are found without looking at all of them: hierarchical navigable small worlds
/// (Malkov & Yashunin, arXiv 1603.09320; hnswlib). For tens of millions of vectors, where ``NearestNeighbours`` is too slow.
///
/// A copy of the vectors is in it: 4 · width + 8 · links + 12 bytes a vector and a little more. Rows with a number that is not
/// finite are left out, and, for the cosine distance, zero vectors, which have no direction.
public final class ApproximateIndex: @unchecked Sendable {
    // @unchecked: the graph is not changed after initialisation, and searching it is safe from several threads.

    /// What a file says about the graph beside it.
    private struct Description: Codable {
        var format = "lenticular nearest-neighbour graph 1"
        var width: Int
        var metric: DistanceMetric
        var bytes: Int
    }

    public let width: Int
    public let metric: DistanceMetric
    private let graph: OpaquePointer

    /// Vectors in the graph.
    public var count: Int { hnsw_count(graph) }

    /// Builds a graph. With one worker the same vectors and seed give the same graph; with several the order of insertion, and so
    /// the graph, differs from run to run.
    ///
    /// - Parameters:
    ///   - links: M of the paper; 8 to 48. Twice as many in the lowest layer.
    ///   - construction: candidates looked at for each insertion.
    /// - Throws: ``OutlierError`` with ``OutlierError/Kind/tooFewVectors`` without a usable vector.
    public init(
        _ source: some VectorSource, metric: DistanceMetric = .euclidean, links: Int = 16, construction: Int = 200,
        seed: UInt64 = 1, workers: Int = ProcessInfo.processInfo.activeProcessorCount
    ) throws(OutlierError) {
        precondition(links >= 2 && construction > 0 && workers > 0, "[ApproximateIndex] expected positive settings")
        let (width, metric) = (source.width, metric)
        guard let graph = hnsw_create(width, max(1, source.count), links, construction, Int(truncatingIfNeeded: seed))
        else {
            throw OutlierError(.tooFewVectors, "there is no memory for a graph of \(source.count) vectors")
        }
        let insert: (Int) -> Bool = { row in
            source.withRows(row..<row + 1) { Self.prepared($0, metric: metric) }.map {
                hnsw_add(graph, $0, UInt64(row))
            } ?? false
        }
        let first = (0..<source.count).first(where: insert) ?? source.count
        WorkerPool(threads: workers).parallelFor(max(0, source.count - first - 1)) { _ = insert(first + 1 + $0) }
        guard hnsw_count(graph) > 0 else {
            hnsw_free(graph)
            throw OutlierError(.tooFewVectors, "none of \(source.count) vectors can be put into a graph")
        }
        self.graph = graph
        self.width = width
        self.metric = metric
    }

    /// Reads a graph that ``save(to:)`` wrote, and checks it.
    public init(path: String) throws(OutlierError) {
        func invalid(_ reason: String) -> OutlierError { OutlierError(.invalidFile, "\(path): \(reason)") }
        guard let data = FileManager.default.contents(atPath: path + ".json") else {
            throw invalid("its description, \(path).json, cannot be read")
        }
        guard let description = try? JSONDecoder().decode(Description.self, from: data),
            description.format == Description(width: 0, metric: .cosine, bytes: 0).format, description.width > 0,
            description.width < 1 << 20
        else { throw invalid("\(path).json does not describe a graph") }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? nil
        guard size == description.bytes else {
            throw invalid("has \(size ?? 0) bytes where its description says \(description.bytes)")
        }
        var reason = [CChar](repeating: 0, count: 200)
        guard let graph = hnsw_load(path, description.width, &reason, reason.count) else {
            let text = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw invalid(String(decoding: text, as: UTF8.self))
        }
        self.graph = graph
        width = description.width
        metric = description.metric
    }

    deinit { hnsw_free(graph) }

    /// Writes the graph, and `PATH.json` beside it.
    public func save(to path: String) throws(OutlierError) {
        let temporary = path + ".\(ProcessInfo.processInfo.processIdentifier).tmp"
        defer { unlink(temporary) }
        guard hnsw_save(graph, temporary),
            let size = (try? FileManager.default.attributesOfItem(atPath: temporary)[.size] as? Int) ?? nil
        else { throw OutlierError(.invalidFile, "\(path): cannot be written") }
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            let description = try encoder.encode(Description(width: width, metric: metric, bytes: size))
            try description.write(to: URL(fileURLWithPath: path + ".json"), options: .atomic)
        } catch { throw OutlierError(.invalidFile, "\(path).json: cannot be written: \(error)") }
        guard rename(temporary, path) == 0 else {
            throw OutlierError(.invalidFile, "\(path): cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    /// About the nearest vectors of every query, the nearest first; none for a query that is not finite or has no direction.
    /// Distances are of float32.
    ///
    /// - Parameter candidates: how many are looked at, at least `count`: more find more of the true neighbours, and take longer.
    public func search(
        _ queries: some VectorSource, count: Int, candidates: Int,
        workers: Int = ProcessInfo.processInfo.activeProcessorCount
    ) throws(OutlierError) -> [NearestNeighbours.Row] {
        try OutlierError.check(width: queries.width, expected: width)
        precondition(count > 0, "[ApproximateIndex] expected at least one neighbour, got \(count)")
        var rows = [NearestNeighbours.Row](repeating: .init(indices: [], distances: []), count: queries.count)
        rows.withUnsafeMutableBufferPointer { rows in
            WorkerPool(threads: workers).parallelRanges(queries.count) { range in
                var labels = [UInt64](repeating: 0, count: count)
                var squares = [Float](repeating: 0, count: count)
                for query in range {
                    guard
                        let vector = queries.withRows(
                            query..<query + 1, { Self.prepared($0, metric: metric) })
                    else { continue }
                    let found = hnsw_search(graph, vector, count, max(candidates, count), &labels, &squares)
                    rows[query] = .init(
                        indices: labels.prefix(found).map(Int.init), distances: squares.prefix(found).map(distance))
                }
            }
        }
        return rows
    }

    /// For vectors of length 1, |a − b|² = 2 (1 − a·b).
    private func distance(_ square: Float) -> Double {
        metric == .cosine ? Double(square) / 2 : Double(square).squareRoot()
    }

    /// What is stored or searched for a row; nil for one that cannot be.
    private static func prepared(_ row: UnsafeBufferPointer<Float>, metric: DistanceMetric) -> [Float]? {
        guard row.allSatisfy(\.isFinite) else { return nil }
        guard metric == .cosine else { return Array(row) }
        let length = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return length > 0 ? row.map { Float(Double($0) / length) } : nil
    }
}
