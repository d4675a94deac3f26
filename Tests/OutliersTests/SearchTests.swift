import Foundation
import Testing

@testable import Outliers

/// The engine beyond what ``NearestNeighboursTests`` say: proofs, products, defects, sets.
@Suite("Nearest-neighbour search")
struct SearchTests {
    /// All distances from a vector in float64, sorted, ties by number: the slow twin.
    static func exhaustive(
        _ query: ArraySlice<Float>, _ set: VectorSet, count: Int, metric: DistanceMetric, skipping: Int? = nil
    ) -> NearestNeighbours.Row {
        let measured = (0..<set.count).filter { $0 != skipping }.compactMap { row -> (Int, Double)? in
            let other = set.values[(row * set.width)..<((row + 1) * set.width)]
            guard other.allSatisfy(\.isFinite) else { return nil }
            let pairs = zip(query, other).map { (Double($0), Double($1)) }
            switch metric {
            case .euclidean:
                return (row, pairs.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot())
            case .cosine:
                let lengths =
                    (pairs.reduce(0) { $0 + $1.0 * $1.0 } * pairs.reduce(0) { $0 + $1.1 * $1.1 }).squareRoot()
                return (row, lengths > 0 ? max(0, 1 - pairs.reduce(0) { $0 + $1.0 * $1.1 } / lengths) : 1)
            }
        }.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(count)
        return .init(indices: measured.map(\.0), distances: measured.map(\.1))
    }

    static func row(_ set: VectorSet, _ number: Int) -> ArraySlice<Float> {
        set.values[(number * set.width)..<((number + 1) * set.width)]
    }

    static func found(
        _ search: NearestNeighbours, _ queries: VectorSet, among reference: VectorSet
    ) throws -> ([NearestNeighbours.Row], NearestNeighbours.Statistics) {
        var rows: [NearestNeighbours.Row] = []
        let statistics = try search.search(queries, among: reference) { number, row in
            #expect(number == rows.count)
            rows.append(row)
            return true
        }
        return (rows, statistics)
    }

    @Test(
        "either product finds exactly what the exhaustive search finds, with any number of threads",
        arguments: NearestNeighbours.Products.allCases, DistanceMetric.allCases)
    func products(products: NearestNeighbours.Products, metric: DistanceMetric) throws {
        let reference = SimulatedClusters(count: 3000, width: 33).vectors()
        var other = SimulatedClusters(count: 75, width: 33)
        other.seed = 9
        let queries = other.vectors()
        for workers in [1, 3] {
            var search = NearestNeighbours(count: 10, metric: metric)
            search.products = products
            search.workers = workers
            search.queryBlock = 24
            let (rows, statistics) = try Self.found(search, queries, among: reference)
            #expect(statistics.queries == 75)
            #expect(statistics.undecided == 0)
            for (number, row) in rows.enumerated() {
                let expected = Self.exhaustive(Self.row(queries, number), reference, count: 10, metric: metric)
                #expect(row.indices == expected.indices)
                for (a, b) in zip(row.distances, expected.distances) { #expect(abs(a - b) <= 1e-12 * max(1, b)) }
            }
        }
    }

    @Test("what bfloat16 cannot tell apart is searched again and found")
    func repetition() throws {
        // A far cluster, all of whose members round to the same bfloat16 numbers: centring cannot help, there are two.
        var values: [Float] = []
        for row in 0..<1200 { values += row % 2 == 0 ? [1000 + Float(row) * 0.001, 0] : [-1000, Float(row) * 0.001] }
        let set = VectorSet(count: 1200, width: 2, values: values)
        var search = NearestNeighbours(count: 5)
        search.products = .bfloat16
        var rows: [NearestNeighbours.Row] = []
        let statistics = search.search(set) { _, row in
            rows.append(row)
            return true
        }
        #expect(statistics.repeated > 0)
        for number in stride(from: 0, to: 1200, by: 7) {
            let expected = Self.exhaustive(Self.row(set, number), set, count: 5, metric: .euclidean, skipping: number)
            // Numbers near 1000 are 6e-5 apart, neighbours 2e-3: the order is certain, equal distances are not.
            for (a, b) in zip(rows[number].distances, expected.distances) { #expect(abs(a - b) < 1e-9) }
        }
    }

    @Test("vectors that are all equal are each other's neighbours at distance 0, the first rows first")
    func ties() {
        let set = VectorSet(count: 300, width: 3, values: [Float](repeating: 2, count: 900))
        var rows: [NearestNeighbours.Row] = []
        let statistics = NearestNeighbours(count: 4).search(set) { _, row in
            rows.append(row)
            return true
        }
        #expect(rows[0] == .init(indices: [1, 2, 3, 4], distances: [0, 0, 0, 0]))
        #expect(rows[250] == .init(indices: [0, 1, 2, 3], distances: [0, 0, 0, 0]))
        #expect(statistics.undecided == 300)
    }

    @Test("defects are nobody's neighbours and have none", arguments: DistanceMetric.allCases)
    func defects(metric: DistanceMetric) throws {
        var values = SimulatedClusters(count: 200, width: 7).vectors().values
        values[3 * 7 + 2] = .nan
        values[90 * 7] = .infinity
        for i in 0..<7 { values[50 * 7 + i] = 0 }
        let set = VectorSet(count: 200, width: 7, values: values)
        for products in NearestNeighbours.Products.allCases {
            var search = NearestNeighbours(count: 6, metric: metric)
            search.products = products
            search.search(set) { number, row in
                if number == 3 || number == 90 {
                    #expect(row.indices.isEmpty && row.meanDistance.isNaN)
                } else {
                    let expected = Self.exhaustive(
                        Self.row(set, number), set, count: 6, metric: metric, skipping: number)
                    #expect(row.indices == expected.indices)
                }
                return true
            }
        }
        // A zero query has the distance 1 to everything: ties, in the order of the rows.
        if metric == .cosine {
            let zero = VectorSet(count: 1, width: 7, values: [Float](repeating: 0, count: 7))
            let row = try Self.found(NearestNeighbours(count: 3, metric: .cosine), zero, among: set).0[0]
            #expect(row == .init(indices: [0, 1, 2], distances: [1, 1, 1]))
        }
    }

    @Test("very large, very small and very different numbers", arguments: [Float(1e30), 1e-30, 1])
    func range(scale: Float) throws {
        let plain = SimulatedClusters(count: 500, width: 8).vectors()
        let set = VectorSet(count: 500, width: 8, values: plain.values.map { $0 * scale })
        NearestNeighbours(count: 3).search(set) { number, row in
            let expected = Self.exhaustive(Self.row(set, number), set, count: 3, metric: .euclidean, skipping: number)
            #expect(row.indices == expected.indices)
            return true
        }
        // One vector far beyond all others does not blur them.
        var values = plain.values
        values[0] = 1e9
        let mixed = VectorSet(count: 500, width: 8, values: values)
        NearestNeighbours(count: 3).search(mixed) { number, row in
            guard number % 50 == 1 else { return true }
            let expected = Self.exhaustive(
                Self.row(mixed, number), mixed, count: 3, metric: .euclidean, skipping: number)
            for (a, b) in zip(row.distances, expected.distances) { #expect(abs(a - b) <= 1e-9 * max(1, b)) }
            return true
        }
    }

    @Test("fewer rows than neighbours give what there is; none give none; another width is an error")
    func small() throws {
        let three = SimulatedClusters(count: 3, width: 4).vectors()
        NearestNeighbours(count: 10).search(three) { _, row in
            #expect(row.indices.count == 2)
            return true
        }
        let none = VectorSet(count: 0, width: 4, values: [])
        #expect(try Self.found(NearestNeighbours(count: 2), three, among: none).0.allSatisfy { $0.indices.isEmpty })
        #expect(try Self.found(NearestNeighbours(count: 2), none, among: three).0.isEmpty)
        let wide = SimulatedClusters(count: 3, width: 5).vectors()
        #expect { try NearestNeighbours(count: 2).search(wide, among: three) { _, _ in true } } throws: {
            ($0 as? OutlierError)?.kind == .widthMismatch
        }
    }

    @Test("a visit that returns false ends the search")
    func ending() {
        var visits = 0
        NearestNeighbours(count: 1).search(SimulatedClusters(count: 50, width: 2).vectors()) { _, _ in
            visits += 1
            return visits < 5
        }
        #expect(visits == 5)
    }
}
