/// Least squares by damped Gauss–Newton steps (Levenberg 1944; Marquardt 1963, doi:10.1137/0111030), for a few parameters and many
/// residuals: the function gives the normal equations, so that residuals need not be stored.
struct LevenbergMarquardt {
    /// What a point gives: χ², JᵀJ (row-major) and Jᵀr, where r are the weighted residuals data − model and J the derivatives
    /// of the model.
    struct Evaluation {
        var chiSquared: Double
        var matrix: [Double]
        var gradient: [Double]
    }

    var iterations = 60
    /// The search ends when an accepted step makes χ² smaller by less than this fraction.
    var tolerance = 1e-5

    /// - Parameters:
    ///   - limit: brings a point into the allowed region.
    ///   - evaluate: nil where the model is no number.
    /// - Returns: the best point, and whether the search came to rest; nil where the start is impossible.
    func minimize(
        from start: [Double], limit: ([Double]) -> [Double] = { $0 }, _ evaluate: ([Double]) -> Evaluation?
    ) -> (point: [Double], chiSquared: Double, converged: Bool)? {
        var point = limit(start)
        guard var state = evaluate(point) else { return nil }
        var damping = 1e-3
        let count = point.count
        for _ in 0..<iterations {
            var matrix = state.matrix
            for i in 0..<count { matrix[i * count + i] *= 1 + damping }
            guard let step = Self.solve(matrix, state.gradient) else {
                damping *= 10
                if damping > 1e10 { return (point, state.chiSquared, true) }
                continue
            }
            let candidate = limit(zip(point, step).map(+))
            if let next = evaluate(candidate), next.chiSquared < state.chiSquared {
                let gain = (state.chiSquared - next.chiSquared) / state.chiSquared
                (point, state) = (candidate, next)
                damping = max(damping / 10, 1e-9)
                if gain < tolerance { return (point, state.chiSquared, true) }
            } else {
                damping *= 10
                if damping > 1e10 { return (point, state.chiSquared, true) }
            }
        }
        return (point, state.chiSquared, false)
    }

    /// The solution of a symmetric positive definite system by Cholesky's decomposition; nil where it is not one.
    private static func solve(_ matrix: [Double], _ right: [Double]) -> [Double]? {
        let n = right.count
        var l = matrix
        var x = right
        for j in 0..<n {
            for k in 0..<j { l[j * n + j] -= l[j * n + k] * l[j * n + k] }
            guard l[j * n + j] > 0 else { return nil }
            l[j * n + j] = l[j * n + j].squareRoot()
            for i in (j + 1)..<max(n, j + 1) {
                for k in 0..<j { l[i * n + j] -= l[i * n + k] * l[j * n + k] }
                l[i * n + j] /= l[j * n + j]
            }
        }
        for i in 0..<n {
            for k in 0..<i { x[i] -= l[i * n + k] * x[k] }
            x[i] /= l[i * n + i]
        }
        for i in stride(from: n - 1, through: 0, by: -1) {
            for k in (i + 1)..<max(n, i + 1) { x[i] -= l[k * n + i] * x[k] }
            x[i] /= l[i * n + i]
        }
        return x.allSatisfy(\.isFinite) ? x : nil
    }
}
