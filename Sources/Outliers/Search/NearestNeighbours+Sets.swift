extension NearestNeighbours {
    /// Finds the neighbours of every vector among the others of its set; none for one that is not finite.
    public func search(_ vectors: some VectorSource, visit: (Int, Row) throws -> Bool) rethrows {
        try exhaustive(vectors, among: vectors, excludingSelf: true, visit: visit)
    }

    /// Finds the neighbours of every query in a reference set; none for a query that is not finite.
    public func search(
        _ queries: some VectorSource, among reference: some VectorSource, visit: (Int, Row) throws -> Bool
    ) throws {
        try OutlierError.check(width: queries.width, expected: reference.width)
        try exhaustive(queries, among: reference, excludingSelf: false, visit: visit)
    }

    private func exhaustive(
        _ queries: some VectorSource, among reference: some VectorSource, excludingSelf: Bool,
        visit: (Int, Row) throws -> Bool
    ) rethrows {
        let rows = reference.finiteRows()
        let factors = standardise ? deviations(reference, rows).map { $0 > 0 ? 1 / $0 : 0 } : nil
        for query in 0..<queries.count {
            let a = queries.withRows(query..<query + 1) { $0.map(Double.init) }
            var measured: [(Int, Double)] = []
            if a.allSatisfy(\.isFinite) {
                for row in rows where !excludingSelf || row != query {
                    measured.append((row, reference.withRows(row..<row + 1) { distance(a, $0, factors) }))
                }
            }
            let nearest = measured.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(count)
            if try !visit(query, Row(indices: nearest.map(\.0), distances: nearest.map(\.1))) { return }
        }
    }

    private func deviations(_ source: some VectorSource, _ rows: [Int]) -> [Double] {
        var sums = [Double](repeating: 0, count: source.width)
        var squares = sums
        for row in rows {
            source.withRows(row..<row + 1) { for i in sums.indices { sums[i] += Double($0[i]) } }
        }
        for row in rows {
            source.withRows(row..<row + 1) {
                for i in sums.indices {
                    let difference = Double($0[i]) - sums[i] / Double(rows.count)
                    squares[i] += difference * difference
                }
            }
        }
        return squares.map { ($0 / Double(rows.count)).squareRoot() }
    }

    private func distance(_ a: [Double], _ b: UnsafeBufferPointer<Float>, _ factors: [Double]?) -> Double {
        var (sum, product, aa, bb) = (0.0, 0.0, 0.0, 0.0)
        for i in a.indices {
            let y = Double(b[i])
            let difference = (a[i] - y) * (factors?[i] ?? 1)
            sum += difference * difference
            product += a[i] * y
            aa += a[i] * a[i]
            bb += y * y
        }
        guard metric == .cosine else { return sum.squareRoot() }
        let lengths = (aa * bb).squareRoot()
        return lengths > 0 ? max(0, 1 - product / lengths) : 1
    }
}
