/// A slow, plain array in double precision: what operations are compared with.
struct Dense {
    var shape: [Int]
    var values: [Double]

    init(_ shape: [Int], _ values: [Double]) {
        precondition(shape.reduce(1, *) == values.count)
        self.shape = shape
        self.values = values
    }

    init(_ shape: [Int], fill: (_ index: [Int]) -> Double) {
        self.shape = shape
        values = Dense.allIndices(shape).map(fill)
    }

    subscript(_ index: Int...) -> Double { self[index] }

    subscript(_ index: [Int]) -> Double {
        get { values[offset(index)] }
        set { values[offset(index)] = newValue }
    }

    private func offset(_ index: [Int]) -> Int { zip(shape, index).reduce(0) { $0 * $1.0 + $1.1 } }

    static func allIndices(_ shape: [Int]) -> [[Int]] {
        shape.reduce([[]]) { prefixes, length in prefixes.flatMap { prefix in (0..<length).map { prefix + [$0] } } }
    }

    func map(_ body: (Double) -> Double) -> Dense { Dense(shape, values.map(body)) }

    func reshape(_ shape: [Int]) -> Dense { Dense(shape, values) }

    func permute(_ axes: [Int]) -> Dense {
        Dense(axes.map { shape[$0] }) { index in
            var source = index
            for (i, axis) in axes.enumerated() { source[axis] = index[i] }
            return self[source]
        }
    }

    /// Element-wise with axes aligned at the end, length 1 repeating.
    static func broadcasting(_ a: Dense, _ b: Dense, _ body: (Double, Double) -> Double) -> Dense {
        let rank = max(a.shape.count, b.shape.count)
        let (p, q) = (padded(a.shape, rank), padded(b.shape, rank))
        return Dense(zip(p, q).map { max($0, $1) }) { index in
            let i = Array(zip(index, p).map { $1 == 1 ? 0 : $0 }.suffix(a.shape.count))
            let j = Array(zip(index, q).map { $1 == 1 ? 0 : $0 }.suffix(b.shape.count))
            return body(a[i], b[j])
        }
    }

    private static func padded(_ shape: [Int], _ rank: Int) -> [Int] {
        [Int](repeating: 1, count: rank - shape.count) + shape
    }

    /// Groups elements over the given axes, which get length 1.
    func reduce(_ axes: [Int], _ body: ([Double]) -> Double) -> Dense {
        let kept = shape.enumerated().map { axes.contains($0.offset) ? 1 : $0.element }
        return Dense(kept) { index in
            let ranges = shape.enumerated().map { axes.contains($0.offset) ? $0.element : 1 }
            return body(
                Dense.allIndices(ranges).map { step in self[zip(index, step).map { $0 + $1 }] })
        }
    }

    /// Rows of the last axis, each replaced.
    func rows(_ body: ([Double]) -> [Double]) -> Dense {
        let width = shape.last!
        return Dense(
            shape, stride(from: 0, to: values.count, by: width).flatMap { body(Array(values[$0..<($0 + width)])) })
    }

    static func + (a: Dense, b: Dense) -> Dense { broadcasting(a, b, +) }
    static func - (a: Dense, b: Dense) -> Dense { broadcasting(a, b, -) }
    static func * (a: Dense, b: Dense) -> Dense { broadcasting(a, b, *) }
}
