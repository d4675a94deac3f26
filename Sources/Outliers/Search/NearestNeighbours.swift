import Tensors

/// Exact k-nearest-neighbour search among the rows of one matrix.
///
/// Distances of a block of rows to a block of rows come from one matrix product, |a|² + |b|² − 2 a·b; the matrix of
/// all distances is never made, and rows are read from the file block by block, so memory is bounded by the block sizes. The
/// product only selects: because the subtraction loses digits for close pairs, the distances of the candidates it
/// selects are computed again in float64 from the differences, and ordered by them.
public struct NearestNeighbours: Sendable {
    /// Neighbours to find; fewer where there are fewer other rows.
    public var count: Int
    public var metric: DistanceMetric
    /// Bring each dimension to mean 0 and standard deviation 1 over the included rows first. Dimensions that do not
    /// vary count nothing. Euclidean only.
    public var standardise: Bool
    /// Rows of a block of queries and of a block of candidates.
    public var queryBlock = 512
    public var candidateBlock = 4096

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

    public init(count: Int, metric: DistanceMetric = .euclidean, standardise: Bool = false) {
        precondition(count > 0, "[NearestNeighbours] expected at least one neighbour, got \(count)")
        self.count = count
        self.metric = metric
        self.standardise = standardise && metric == .euclidean
    }

    /// Finds the neighbours of every included row among the other included rows.
    ///
    /// - Parameters:
    ///   - rows: the rows that take part, as row numbers of the matrix in ascending order.
    ///   - backend: computes the products.
    ///   - visit: called with the position in `rows` and the neighbours, in order of the rows. Returning false ends the search.
    public func search(
        _ matrix: some VectorSource, rows: [Int], on backend: any Backend, visit: (Int, Row) throws -> Bool
    ) rethrows {
        guard !rows.isEmpty else { return }
        // Centring leaves distances as they are and keeps digits that the product would lose; angles it would change.
        let scaling =
            metric == .cosine
            ? Scaling(width: matrix.width) : Scaling(matrix, rows: rows, unitDeviation: standardise)
        let kept = min(count, rows.count - 1)
        // A few more candidates than asked for: rounding in the product may order close ones wrongly.
        let candidates = min(kept + 1 + max(4, kept / 4), rows.count)

        for queryStart in stride(from: 0, to: rows.count, by: queryBlock) {
            let queryRange = queryStart..<min(queryStart + queryBlock, rows.count)
            let queries = Block(matrix, rows: rows[queryRange], scaling: scaling, unitLength: metric == .cosine)
            let queryTensor = Tensor(queries.values, shape: [queryRange.count, matrix.width], on: backend)
            var best = [SmallestValues](repeating: SmallestValues(capacity: candidates), count: queryRange.count)

            for start in stride(from: 0, to: rows.count, by: candidateBlock) {
                let range = start..<min(start + candidateBlock, rows.count)
                let block = Block(matrix, rows: rows[range], scaling: scaling, unitLength: metric == .cosine)
                let products = queryTensor.linear(
                    Tensor(block.values, shape: [range.count, matrix.width], on: backend)
                ).floats()
                products.withUnsafeBufferPointer { products in
                    for query in 0..<queryRange.count {
                        let line = UnsafeBufferPointer(
                            rebasing: products[(query * range.count)..<((query + 1) * range.count)])
                        best[query].insert(line, squaredLengths: block.squaredLengths, firstIndex: start)
                    }
                }
            }
            for (offset, selection) in best.enumerated() {
                let position = queryStart + offset
                let row = refine(
                    query: position, candidates: selection.indices, rows: rows, matrix: matrix, scaling: scaling,
                    keeping: kept)
                if try !visit(position, row) { return }
            }
        }
    }

    /// Orders the candidates by their distance in float64.
    private func refine(
        query: Int, candidates: [Int], rows: [Int], matrix: some VectorSource, scaling: Scaling, keeping kept: Int
    ) -> Row {
        let width = matrix.width
        let measured = matrix.withRows(rows[query]..<rows[query] + 1) { a in
            candidates.filter { $0 != query }.map { candidate in
                let distance = matrix.withRows(rows[candidate]..<rows[candidate] + 1) { b in
                    switch metric {
                    case .euclidean:
                        var sum = 0.0
                        for i in 0..<width {
                            let difference = (Double(a[i]) - Double(b[i])) * Double(scaling.factor[i])
                            sum += difference * difference
                        }
                        return sum.squareRoot()
                    case .cosine:
                        var product = 0.0
                        var aa = 0.0
                        var bb = 0.0
                        for i in 0..<width {
                            product += Double(a[i]) * Double(b[i])
                            aa += Double(a[i]) * Double(a[i])
                            bb += Double(b[i]) * Double(b[i])
                        }
                        let lengths = (aa * bb).squareRoot()
                        return lengths > 0 ? max(0, 1 - product / lengths) : 1
                    }
                }
                return (candidate, distance)
            }
        }
        let nearest = measured.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(kept)
        return Row(indices: nearest.map { rows[$0.0] }, distances: nearest.map(\.1))
    }
}

/// Mean and inverse standard deviation of each dimension.
private struct Scaling {
    var mean: [Float]
    var factor: [Float]

    init(width: Int) {
        mean = [Float](repeating: 0, count: width)
        factor = [Float](repeating: 1, count: width)
    }

    /// Two passes over the rows, in float64.
    init(_ matrix: some VectorSource, rows: [Int], unitDeviation: Bool) {
        let width = matrix.width
        var sums = [Double](repeating: 0, count: width)
        for row in rows {
            matrix.withRows(row..<row + 1) { values in
                for i in 0..<width { sums[i] += Double(values[i]) }
            }
        }
        let means = sums.map { $0 / Double(rows.count) }
        mean = means.map(Float.init)
        factor = [Float](repeating: 1, count: width)
        guard unitDeviation else { return }
        var squares = [Double](repeating: 0, count: width)
        for row in rows {
            matrix.withRows(row..<row + 1) { values in
                for i in 0..<width {
                    let difference = Double(values[i]) - means[i]
                    squares[i] += difference * difference
                }
            }
        }
        factor = zip(squares, means).map { square, mean in
            let deviation = (square / Double(rows.count)).squareRoot()
            return deviation > 1e-7 * max(abs(mean), 1e-30) ? Float(1 / deviation) : 0
        }
    }
}

/// Rows gathered from the matrix, scaled, with their squared lengths.
private struct Block {
    var values: [Float]
    var squaredLengths: [Float]

    init(_ matrix: some VectorSource, rows: ArraySlice<Int>, scaling: Scaling, unitLength: Bool) {
        let width = matrix.width
        var lengths = [Float](repeating: 0, count: rows.count)
        values = [Float](unsafeUninitializedCapacity: rows.count * width) { buffer, initialized in
            for (offset, row) in rows.enumerated() {
                let line = UnsafeMutableBufferPointer(rebasing: buffer[(offset * width)..<((offset + 1) * width)])
                matrix.withRows(row..<row + 1) { source in
                    for i in 0..<width { line[i] = (source[i] - scaling.mean[i]) * scaling.factor[i] }
                }
                var sum: Float = 0
                for i in 0..<width { sum += line[i] * line[i] }
                if unitLength {
                    let factor = sum > 0 ? 1 / sum.squareRoot() : 0
                    for i in 0..<width { line[i] *= factor }
                    sum = sum > 0 ? 1 : 0
                }
                lengths[offset] = sum
            }
            initialized = rows.count * width
        }
        squaredLengths = lengths
    }
}

/// The smallest values seen so far and where they were, unordered, with the largest of them at hand.
private struct SmallestValues {
    let capacity: Int
    private(set) var indices: [Int] = []
    private var values: [Float] = []
    private var largest = Float.infinity
    private var largestAt = 0

    init(capacity: Int) {
        self.capacity = capacity
        indices.reserveCapacity(capacity)
        values.reserveCapacity(capacity)
    }

    /// Offers |b|² − 2 a·b for every candidate b; |a|² is the same for all of them and left out.
    mutating func insert(_ products: UnsafeBufferPointer<Float>, squaredLengths: [Float], firstIndex: Int) {
        squaredLengths.withUnsafeBufferPointer { squaredLengths in
            for j in 0..<products.count {
                let value = squaredLengths[j] - 2 * products[j]
                if value < largest || values.count < capacity { insert(value, index: firstIndex + j) }
            }
        }
    }

    private mutating func insert(_ value: Float, index: Int) {
        // A distance that is no number is farther than all others.
        let value = value.isNaN ? .greatestFiniteMagnitude : value
        if values.count < capacity {
            values.append(value)
            indices.append(index)
            guard values.count == capacity else { return }
        } else {
            guard value < largest else { return }
            values[largestAt] = value
            indices[largestAt] = index
        }
        largest = -.infinity
        for (place, value) in values.enumerated() where value > largest {
            largest = value
            largestAt = place
        }
    }
}
