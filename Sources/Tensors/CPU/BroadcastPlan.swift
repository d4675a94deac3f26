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

    func run(
        _ function: BinaryFunction, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        into out: UnsafeMutablePointer<Float>
    ) {
        switch function {
        case .add: rows(a, b, out) { $0 + $1 }
        case .subtract: rows(a, b, out) { $0 - $1 }
        case .multiply: rows(a, b, out) { $0 * $1 }
        case .divide: rows(a, b, out) { $0 / $1 }
        case .maximum: rows(a, b, out) { $0 > $1 ? $0 : $1 }
        case .minimum: rows(a, b, out) { $0 < $1 ? $0 : $1 }
        }
    }

    @inline(__always)
    private func rows(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>,
        _ combine: (Float, Float) -> Float
    ) {
        let last = lengths.count - 1
        let inner = lengths[last]
        let outer = lengths.dropLast().reduce(1, *)
        var counter = [Int](repeating: 0, count: last)
        var (p, q, r) = (a, b, out)
        for _ in 0..<outer {
            switch (stepsA[last], stepsB[last]) {
            case (1, 1): for i in 0..<inner { r[i] = combine(p[i], q[i]) }
            case (1, _):
                let y = q[0]
                for i in 0..<inner { r[i] = combine(p[i], y) }
            case (_, 1):
                let x = p[0]
                for i in 0..<inner { r[i] = combine(x, q[i]) }
            default:
                let value = combine(p[0], q[0])
                for i in 0..<inner { r[i] = value }
            }
            r += inner
            var axis = last - 1
            while axis >= 0 {
                counter[axis] += 1
                p += stepsA[axis]
                q += stepsB[axis]
                if counter[axis] < lengths[axis] { break }
                p -= stepsA[axis] * lengths[axis]
                q -= stepsB[axis] * lengths[axis]
                counter[axis] = 0
                axis -= 1
            }
        }
    }
}
