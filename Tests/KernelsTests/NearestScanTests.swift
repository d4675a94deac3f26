import Kernels
import Testing

/// Lists of the best scores against a full sort in float64.
@Suite("Nearest scan")
struct NearestScanTests {
    static func normal(_ count: Int, seed: UInt64) -> [Float] {
        var random = SampleGenerator(seed: seed)
        return (0..<count).map { _ in (0..<4).reduce(0) { sum, _ in sum + Float.random(in: -1...1, using: &random) } }
    }

    /// Scores of a query with all rows, in float64; −∞ for rows that are not finite.
    static func scores(_ query: ArraySlice<Float>, _ rows: [Float], width: Int, unitLength: Bool) -> [Double] {
        func prepared(_ row: ArraySlice<Float>) -> [Double] {
            let length = unitLength ? row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() : 1
            return row.map { length > 0 ? Double($0) / length : 0 }
        }
        let a = prepared(query)
        return (0..<rows.count / width).map { number in
            let row = rows[(number * width)..<((number + 1) * width)]
            guard row.allSatisfy(\.isFinite) else { return -.infinity }
            let b = prepared(row)
            let product = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
            return unitLength ? product : product - b.reduce(0) { $0 + $1 * $1 } / 2
        }
    }

    @Test(
        "whatever is not on a list has no better score than its threshold, and lists hold nearly the best",
        arguments: InstructionSet.available, ElementType.allCases)
    func bounds(set: InstructionSet, type: ElementType) {
        for (width, queryCount, rowCount, kept, unitLength) in [
            (1, 1, 1, 1, false), (5, 7, 40, 3, false), (64, 13, 700, 11, false), (19, 13, 700, 11, true),
            (64, 6, 500, 600, false),
        ] {
            let queries = Self.normal(queryCount * width, seed: 5)
            var rows = Self.normal(rowCount * width, seed: 6)
            if rowCount > 20 {
                rows[17 * width] = .nan
                rows[3 * width + width - 1] = .infinity
                for i in 0..<width { rows[5 * width + i] = 0 }
            }
            let scan = NearestScan(
                HostKernels(set), type: type, mean: [Double](repeating: 0, count: width),
                factor: [Double](repeating: 1, count: width), unitLength: unitLength, queries: queryCount, kept: kept)
            queries.withUnsafeBufferPointer { queries in
                rows.withUnsafeBufferPointer { rows in
                    scan.setQueries((0..<queryCount).map { queries.baseAddress! + $0 * width })
                    for start in stride(from: 0, to: rowCount, by: scan.columns) {
                        let members = start..<min(start + scan.columns, rowCount)
                        scan.offer(members.map { rows.baseAddress! + $0 * width }, firstIndex: start)
                    }
                }
            }
            scan.finish()
            // The bound of rounding errors of numbers of size 1 and a half: what a list may lack.
            let margin = type == .bfloat16 ? 0.02 * Double(width) : 2e-5 * Double(width)
            for query in 0..<queryCount {
                let exact = Self.scores(
                    queries[(query * width)..<((query + 1) * width)], rows, width: width, unitLength: unitLength)
                let list = Set(scan.list(query).map(Int.init))
                let finite = exact.count { $0.isFinite }
                #expect(list.count == min(kept, finite))
                #expect(list.allSatisfy { exact[$0].isFinite })
                let threshold = Double(scan.threshold(query))
                let outside = exact.indices.filter { !list.contains($0) && exact[$0].isFinite }
                #expect(outside.allSatisfy { exact[$0] <= threshold })
                if list.count == finite { #expect(threshold == -.infinity || outside.isEmpty) }
                let worst = list.map { exact[$0] }.min() ?? -.infinity
                if let best = outside.map({ exact[$0] }).max() { #expect(worst >= best - margin) }
            }
        }
    }

    @Test("rows that come nearer and nearer all pass, and the last ones stay", arguments: InstructionSet.available)
    func descending(set: InstructionSet) {
        let count = 1000
        let rows = (0..<count).map { Float(count - $0) }
        let scan = NearestScan(
            HostKernels(set), type: .float32, mean: [0], factor: [0.01], unitLength: false, queries: 1, kept: 4)
        let zero: [Float] = [0]
        zero.withUnsafeBufferPointer { zero in
            rows.withUnsafeBufferPointer { rows in
                scan.setQueries([zero.baseAddress!])
                for start in stride(from: 0, to: count, by: scan.columns) {
                    scan.offer(
                        (start..<min(start + scan.columns, count)).map { rows.baseAddress! + $0 }, firstIndex: start)
                }
            }
        }
        scan.finish()
        #expect(Set(scan.list(0).map(Int.init)) == [996, 997, 998, 999])
    }
}
