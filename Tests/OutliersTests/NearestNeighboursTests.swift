import Foundation
import Inference
import Testing

@testable import Outliers

@Suite("Nearest neighbours")
struct NearestNeighboursTests {
    /// A matrix on disk with reproducible values; two rows are equal and one is zero.
    static func matrix(rows: Int, width: Int, offset: Float = 0) throws -> (EmbeddingMatrix, [[Double]]) {
        var state: UInt64 = 42
        var values = (0..<rows * width).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int64(bitPattern: state) >> 33) / Float(1 << 30) + offset
        }
        if rows > 5 {
            for i in 0..<width {
                values[3 * width + i] = values[5 * width + i]
                values[2 * width + i] = 0
            }
        }
        let path = NSTemporaryDirectory() + "lenticular-matrix-\(UUID().uuidString)"
        try values.withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path)) }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let table = (0..<rows).map { row in values[(row * width)..<((row + 1) * width)].map(Double.init) }
        return (try EmbeddingMatrix(path: path, width: width), table)
    }

    /// All distances, sorted: the slow twin.
    static func exhaustive(
        _ table: [[Double]], rows: [Int], count: Int, metric: DistanceMetric, standardise: Bool
    ) -> [NearestNeighbours.Row] {
        var scaled = rows.map { table[$0] }
        if standardise {
            for column in scaled[0].indices {
                let values = scaled.map { $0[column] }
                let mean = values.reduce(0, +) / Double(values.count)
                let deviation = (values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(values.count))
                    .squareRoot()
                for row in scaled.indices { scaled[row][column] = (values[row] - mean) / deviation }
            }
        }
        func distance(_ a: [Double], _ b: [Double]) -> Double {
            switch metric {
            case .euclidean: zip(a, b).map { ($0 - $1) * ($0 - $1) }.reduce(0, +).squareRoot()
            case .cosine:
                {
                    let product = zip(a, b).map(*).reduce(0, +)
                    let lengths = (a.map { $0 * $0 }.reduce(0, +) * b.map { $0 * $0 }.reduce(0, +)).squareRoot()
                    return lengths > 0 ? max(0, 1 - product / lengths) : 1
                }()
            }
        }
        return scaled.indices.map { query in
            let others = scaled.indices.filter { $0 != query }
                .map { ($0, distance(scaled[query], scaled[$0])) }
                .sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(count)
            return .init(indices: others.map { rows[$0.0] }, distances: others.map(\.1))
        }
    }

    @Test(
        "blocked search finds what the exhaustive search finds",
        arguments: [DistanceMetric.euclidean, .cosine], [false, true])
    func agreesWithExhaustive(metric: DistanceMetric, standardise: Bool) throws {
        for (rows, width, offset) in [(2, 3, Float(0)), (37, 5, 0), (150, 19, 0), (150, 19, 30)] {
            let (matrix, table) = try Self.matrix(rows: rows, width: width, offset: offset)
            let included = (0..<rows).filter { $0 % 7 != 6 }
            var search = NearestNeighbours(count: 6, metric: metric, standardise: standardise)
            search.queryBlock = 16
            search.workers = 2
            let expected = Self.exhaustive(
                table, rows: included, count: 6, metric: metric, standardise: search.standardise)
            var position = 0
            search.search(matrix, rows: included) { index, row in
                #expect(index == position)
                #expect(row.distances.count == min(6, included.count - 1))
                for (found, exact) in zip(row.distances, expected[index].distances) {
                    #expect(abs(found - exact) <= 1e-6 * max(1, exact))
                }
                let unambiguous = zip(expected[index].distances, expected[index].distances.dropFirst())
                    .allSatisfy { $1 - $0 > 1e-6 }
                if unambiguous && metric == .euclidean { #expect(row.indices == expected[index].indices) }
                position += 1
                return true
            }
            #expect(position == included.count)
        }
    }

    @Test("an object far from all others has the largest score, and a lone object has none")
    func score() throws {
        let path = NSTemporaryDirectory() + "lenticular-matrix-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let values: [Float] = [0, 0, 1, 0, 0, 1, 1, 1, 40, 40]
        try values.withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path)) }
        let matrix = try EmbeddingMatrix(path: path, width: 2)
        var scores: [Double] = []
        NearestNeighbours(count: 2).search(matrix, rows: [0, 1, 2, 3, 4]) { _, row in
            scores.append(row.meanDistance)
            return true
        }
        #expect(Array(scores.prefix(4)) == [1, 1, 1, 1])
        #expect(abs(scores[4] - ((39.0 * 39 * 2).squareRoot() + (39.0 * 39 + 40 * 40).squareRoot()) / 2) < 1e-9)
        NearestNeighbours(count: 2).search(matrix, rows: [4]) { _, row in
            #expect(row.meanDistance.isNaN)
            return true
        }
    }
}
