/// Gram–Schmidt.
enum Orthonormal {
    /// The rows made perpendicular and of length 1, in order; a row that depends on those before it becomes zero. Each is
    /// cleaned twice, which is enough ("twice is enough", Giraud et al. 2005).
    static func rows(_ values: [Double], width: Int) -> [Double] {
        var result = values
        result.withUnsafeMutableBufferPointer { x in
            for i in 0..<x.count / width {
                let row = i * width
                func length() -> Double {
                    var sum = 0.0
                    for c in 0..<width { sum += x[row + c] * x[row + c] }
                    return sum.squareRoot()
                }
                let before = length()
                for _ in 0..<2 {
                    for j in 0..<i {
                        var product = 0.0
                        for c in 0..<width { product += x[row + c] * x[j * width + c] }
                        for c in 0..<width { x[row + c] -= product * x[j * width + c] }
                    }
                }
                let after = length()
                let scale = after > 1e-12 * before ? 1 / after : 0
                for c in 0..<width { x[row + c] *= scale }
            }
        }
        return result
    }
}
