/// Eigenvalues of small symmetric matrices.
enum SymmetricEigenvalues {
    /// By Jacobi's rotations (Golub & Van Loan, "Matrix Computations", section 8.5), in float64.
    ///
    /// - Parameter matrix: (size, size), symmetric.
    /// - Returns: the eigenvalues, the largest first, and a matrix (size, size) with the eigenvectors in its columns.
    static func jacobi(_ matrix: [Double], size: Int) -> (values: [Double], vectors: [Double]) {
        var a = matrix
        var v = [Double](repeating: 0, count: size * size)
        for i in 0..<size { v[i * size + i] = 1 }
        let norm = matrix.reduce(0) { $0 + $1 * $1 }
        for _ in 0..<100 {
            var off = 0.0
            for i in 0..<size { for j in 0..<i { off += 2 * a[i * size + j] * a[i * size + j] } }
            if off <= 1e-28 * norm { break }
            for p in 0..<size {
                for q in (p + 1)..<max(size, p + 1) where a[p * size + q] != 0 {
                    let theta = (a[q * size + q] - a[p * size + p]) / (2 * a[p * size + q])
                    let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
                    let c = 1 / (t * t + 1).squareRoot()
                    let s = t * c
                    for k in 0..<size {
                        let (x, y) = (a[k * size + p], a[k * size + q])
                        a[k * size + p] = c * x - s * y
                        a[k * size + q] = s * x + c * y
                    }
                    for k in 0..<size {
                        let (x, y) = (a[p * size + k], a[q * size + k])
                        a[p * size + k] = c * x - s * y
                        a[q * size + k] = s * x + c * y
                        let (z, w) = (v[k * size + p], v[k * size + q])
                        v[k * size + p] = c * z - s * w
                        v[k * size + q] = s * z + c * w
                    }
                }
            }
        }
        let order = (0..<size).sorted { (a[$1 * size + $1], $0) < (a[$0 * size + $0], $1) }
        var vectors = v
        for (place, column) in order.enumerated() {
            for row in 0..<size { vectors[row * size + place] = v[row * size + column] }
        }
        return (order.map { a[$0 * size + $0] }, vectors)
    }
}
