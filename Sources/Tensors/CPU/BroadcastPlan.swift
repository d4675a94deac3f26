/// How two operands are repeated to the shape of a result, with as few axes as possible.
///
/// Almost all uses are three: equal shapes, a row added to all rows, one number per row. After merging axes that behave
/// alike these are one inner loop each.
struct BroadcastPlan {
    /// Lengths of the merged axes, outermost first, and the step of each operand along them.
    private var lengths: [Int] = []
    private var stepsA: [Int] = []
    private var stepsB: [Int] = []

    init(_ a: [Int], _ b: [Int], _ out: [Int]) {
        let rank = out.count
        let paddedA = [Int](repeating: 1, count: rank - a.count) + a
        let paddedB = [Int](repeating: 1, count: rank - b.count) + b
        var axes: [(length: Int, a: Bool, b: Bool)] = []
        for i in 0..<rank where out[i] != 1 {
            let axis = (length: out[i], a: paddedA[i] != 1, b: paddedB[i] != 1)
            if let last = axes.last, last.a == axis.a, last.b == axis.b {
                axes[axes.count - 1].length *= axis.length
            } else {
                axes.append(axis)
            }
        }
        if axes.isEmpty { axes = [(1, true, true)] }
        lengths = axes.map(\.length)
        stepsA = [Int](repeating: 0, count: axes.count)
        stepsB = stepsA
        var (stepA, stepB) = (1, 1)
        for i in axes.indices.reversed() {
            if axes[i].a {
                stepsA[i] = stepA
                stepA *= axes[i].length
            }
            if axes[i].b {
                stepsB[i] = stepB
                stepB *= axes[i].length
            }
        }
    }

    /// The two innermost merged axes at one place of the outer ones: offsets and steps in elements.
    struct Matrix {
        var rows: Int
        var columns: Int
        var a: Int
        var b: Int
        var out: Int
        var rowStepA: Int
        var columnStepA: Int
        var rowStepB: Int
        var columnStepB: Int
    }

    /// Visits the result as matrices, in the order of memory.
    func forEachMatrix(_ body: (Matrix) -> Void) {
        let last = lengths.count - 1
        let rows = last > 0 ? lengths[last - 1] : 1
        var matrix = Matrix(
            rows: rows, columns: lengths[last], a: 0, b: 0, out: 0, rowStepA: last > 0 ? stepsA[last - 1] : 0,
            columnStepA: stepsA[last], rowStepB: last > 0 ? stepsB[last - 1] : 0, columnStepB: stepsB[last])
        if last == 0, matrix.columnStepA == 1, matrix.columnStepB == 1, matrix.columns >= 1 << 12,
            matrix.columns.isMultiple(of: 1 << 10)
        {
            // A long row becomes a matrix, so that it can be divided among threads.
            matrix.rows = matrix.columns >> 10
            matrix.columns = 1 << 10
            (matrix.rowStepA, matrix.rowStepB) = (matrix.columns, matrix.columns)
        }
        let outer = last > 1 ? Array(lengths[..<(last - 1)]) : []
        let size = matrix.rows * matrix.columns
        StridedCopy.forEachOffset(outer, Array(stepsA.prefix(outer.count)), Array(stepsB.prefix(outer.count))) { a, b in
            matrix.a = a
            matrix.b = b
            body(matrix)
            matrix.out += size
        }
    }
}
