#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Attention of one head in double precision, straight from the formula: what all kernels are compared with.
///
/// Arrays are dense (tokens, width).
public struct ReferenceAttention: Sendable {
    public var queries: Int
    public var keys: Int
    public var width: Int
    public var scale: Double

    public init(queries: Int, keys: Int, width: Int, scale: Double) {
        self.queries = queries
        self.keys = keys
        self.width = width
        self.scale = scale
    }

    /// `o = softmax(scale · q kᵀ) v` and the logarithm of each row's sum of exponentials.
    public func forward(q: [Double], k: [Double], v: [Double]) -> (o: [Double], logSumExp: [Double]) {
        var o = [Double](repeating: 0, count: queries * width)
        var logSumExp = [Double](repeating: 0, count: queries)
        for i in 0..<queries {
            let (probabilities, logarithm) = row(i, q: q, k: k)
            logSumExp[i] = logarithm
            for j in 0..<keys {
                for c in 0..<width { o[i * width + c] += probabilities[j] * v[j * width + c] }
            }
        }
        return (o, logSumExp)
    }

    /// The derivatives of `Σ oGradient · o` with respect to q, k and v.
    public func backward(
        q: [Double], k: [Double], v: [Double], oGradient: [Double]
    ) -> (q: [Double], k: [Double], v: [Double]) {
        var (qGradient, kGradient, vGradient) = (q.map { _ in 0.0 }, k.map { _ in 0.0 }, v.map { _ in 0.0 })
        for i in 0..<queries {
            let (probabilities, _) = row(i, q: q, k: k)
            // dp = do · v; ds = p (dp − Σ p dp)
            var derivatives = [Double](repeating: 0, count: keys)
            var mean = 0.0
            for j in 0..<keys {
                for c in 0..<width {
                    derivatives[j] += oGradient[i * width + c] * v[j * width + c]
                    vGradient[j * width + c] += probabilities[j] * oGradient[i * width + c]
                }
                mean += probabilities[j] * derivatives[j]
            }
            for j in 0..<keys {
                let derivative = probabilities[j] * (derivatives[j] - mean) * scale
                for c in 0..<width {
                    qGradient[i * width + c] += derivative * k[j * width + c]
                    kGradient[j * width + c] += derivative * q[i * width + c]
                }
            }
        }
        return (qGradient, kGradient, vGradient)
    }

    private func row(_ i: Int, q: [Double], k: [Double]) -> (probabilities: [Double], logSumExp: Double) {
        var scores = [Double](repeating: 0, count: keys)
        for j in 0..<keys {
            for c in 0..<width { scores[j] += q[i * width + c] * k[j * width + c] }
            scores[j] *= scale
        }
        let maximum = scores.reduce(-Double.infinity) { $1.isNaN || $1 > $0 ? $1 : $0 }
        let exponentials = scores.map { exp($0 - maximum) }
        let sum = exponentials.reduce(0, +)
        return (exponentials.map { $0 / sum }, maximum + log(sum))
    }
}
