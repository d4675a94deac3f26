/// Finding minima and roots of functions that are only known by their values.
enum Minimization {
    /// Nelder and Mead's simplex (1965, doi:10.1093/comjnl/7.4.308) in two dimensions with the coefficients 1, 2, ½, ½, from a
    /// simplex that is 5 % of the start wide, as scipy's `fmin` begins.
    static func simplex(
        from start: (Double, Double), tolerance: Double, valueTolerance: Double = 1e-4, iterations: Int = 400,
        _ function: ((Double, Double)) -> Double
    ) -> (Double, Double) {
        typealias Vertex = (point: (Double, Double), value: Double)
        func step(_ value: Double) -> Double { value == 0 ? 0.00025 : 1.05 * value }
        var simplex: [Vertex] = [start, (step(start.0), start.1), (start.0, step(start.1))].map { ($0, function($0)) }
        simplex.sort { $0.value < $1.value }
        for _ in 0..<iterations {
            let spread = simplex[1...].map {
                max(abs($0.point.0 - simplex[0].point.0), abs($0.point.1 - simplex[0].point.1))
            }.max()!
            if spread <= tolerance && abs(simplex[2].value - simplex[0].value) <= valueTolerance { break }
            let middle = (
                (simplex[0].point.0 + simplex[1].point.0) / 2, (simplex[0].point.1 + simplex[1].point.1) / 2
            )
            let worst = simplex[2].point
            func along(_ t: Double) -> Vertex {
                let point = (middle.0 + t * (middle.0 - worst.0), middle.1 + t * (middle.1 - worst.1))
                return (point, function(point))
            }
            let reflected = along(1)
            if reflected.value < simplex[0].value {
                let expanded = along(2)
                simplex[2] = expanded.value < reflected.value ? expanded : reflected
            } else if reflected.value < simplex[1].value {
                simplex[2] = reflected
            } else {
                let outside = reflected.value < simplex[2].value
                let contracted = along(outside ? 0.5 : -0.5)
                if outside ? contracted.value <= reflected.value : contracted.value < simplex[2].value {
                    simplex[2] = contracted
                } else {
                    let best = simplex[0].point
                    for index in 1...2 {
                        let point = (
                            best.0 + 0.5 * (simplex[index].point.0 - best.0),
                            best.1 + 0.5 * (simplex[index].point.1 - best.1)
                        )
                        simplex[index] = (point, function(point))
                    }
                }
            }
            simplex.sort { $0.value < $1.value }
        }
        return simplex[0].point
    }

    /// A root between two places where the function has different signs, by the Illinois variant of false position (Dowell &
    /// Jarratt 1971, doi:10.1007/BF01934364) with bisection where that is slow.
    static func root(
        between low: Double, and high: Double, tolerance: Double, _ function: (Double) -> Double
    ) -> Double {
        var (a, b) = (low, high)
        var (fa, fb) = (function(a), function(b))
        if fa == 0 { return a }
        if fb == 0 { return b }
        for iteration in 0..<200 where abs(b - a) > tolerance {
            var middle = (a * fb - b * fa) / (fb - fa)
            if iteration % 4 == 3 || !middle.isFinite { middle = (a + b) / 2 }
            let value = function(middle)
            if value == 0 { return middle }
            if (value < 0) == (fb < 0) {
                (b, fb) = (middle, value)
                fa *= iteration % 4 == 3 ? 1 : 0.5
            } else {
                (a, fa) = (b, fb)
                (b, fb) = (middle, value)
            }
        }
        return b
    }
}
