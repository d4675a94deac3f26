import Kernels

/// The map of rows to what is compared: `(x − mean) · factor`.
///
/// Centring leaves distances as they are and keeps digits that products would lose; angles it would change, so that for
/// ``DistanceMetric/cosine`` nothing is done.
struct RowScaling {
    var mean: [Double]
    var factor: [Double]
    /// The power of two that the factors contain, so that squares of lengths are in the range of float32.
    var power = 1.0

    /// Statistics over the finite reference rows; only the power of two regards the queries too.
    init(
        _ reference: RowList, queries: RowList, metric: DistanceMetric, standardise: Bool,
        pool: WorkerPool
    ) {
        let width = reference.width
        mean = [Double](repeating: 0, count: width)
        factor = [Double](repeating: 1, count: width)
        guard metric == .euclidean else { return }
        let (sums, count, bounds) = Self.moments(reference, pool) { value, _ in value }
        if count > 0 { mean = sums.map { $0 / Double(count) } }
        if standardise {
            let centre = mean
            let (squares, _, _) = Self.moments(reference, pool) { value, column in
                (value - centre[column]) * (value - centre[column])
            }
            factor = zip(squares, mean).map { square, mean in
                let deviation = (square / Double(max(count, 1))).squareRoot()
                return deviation > 1e-7 * max(abs(mean), 1e-30) ? 1 / deviation : 0
            }
        }
        let queryBounds = Self.moments(queries, pool) { value, _ in value }.bounds
        var length = 0.0
        for column in 0..<width {
            let bound = (max(bounds[column], queryBounds[column]) + abs(mean[column])) * factor[column]
            length = max(length, bound)
        }
        length *= Double(width).squareRoot()
        guard length > 0, length.isFinite else { return }
        power = Double(sign: .plus, exponent: -length.exponent, significand: 1)
        for column in 0..<width { factor[column] *= power }
    }

    /// Sums of a function over the finite rows, and the largest absolute value of each column. The rows are divided in the
    /// same way whatever the number of threads, so that sums are the same.
    private static func moments(
        _ rows: RowList, _ pool: WorkerPool, _ function: (Double, Int) -> Double
    ) -> (sums: [Double], count: Int, bounds: [Double]) {
        let width = rows.width
        let parts = 64
        var sums = [Double](repeating: 0, count: parts * width)
        var bounds = sums
        var counts = [Int](repeating: 0, count: parts)
        sums.withUnsafeMutableBufferPointer { sums in
            bounds.withUnsafeMutableBufferPointer { bounds in
                counts.withUnsafeMutableBufferPointer { counts in
                    pool.parallelFor(parts) { part in
                        for position in (part * rows.count / parts)..<((part + 1) * rows.count / parts) {
                            let row = rows[position]
                            guard rows.isFinite(position) else { continue }
                            counts[part] += 1
                            for column in 0..<width {
                                let value = Double(row[column])
                                sums[part * width + column] += function(value, column)
                                bounds[part * width + column] = max(bounds[part * width + column], abs(value))
                            }
                        }
                    }
                }
            }
        }
        var (total, largest) = (
            [Double](repeating: 0, count: width), [Double](repeating: 0, count: width)
        )
        for part in 0..<parts {
            for column in 0..<width {
                total[column] += sums[part * width + column]
                largest[column] = max(largest[column], bounds[part * width + column])
            }
        }
        return (total, counts.reduce(0, +), largest)
    }
}
