extension Tensor {
    // MARK: - Random tensors

    /// Normal numbers.
    public static func normal(
        _ shape: [Int], mean: Float = 0, standardDeviation: Float = 1, random: inout RandomNumbers,
        on backend: any Backend
    ) -> Tensor {
        Tensor.random(.normal(mean: mean, standardDeviation: standardDeviation), shape, &random, backend)
    }

    /// Normal numbers, redrawn outside ± 2 standard deviations.
    public static func truncatedNormal(
        _ shape: [Int], mean: Float = 0, standardDeviation: Float = 1, random: inout RandomNumbers,
        on backend: any Backend
    ) -> Tensor {
        Tensor.random(.truncatedNormal(mean: mean, standardDeviation: standardDeviation), shape, &random, backend)
    }

    /// Uniform numbers in [low, high).
    public static func uniform(
        _ shape: [Int], low: Float = 0, high: Float = 1, random: inout RandomNumbers, on backend: any Backend
    ) -> Tensor {
        Tensor.random(.uniform(low: low, high: high), shape, &random, backend)
    }

    /// Each tensor takes a stream of its own, so its values depend only on the generator, not on how they are computed.
    private static func random(
        _ distribution: RandomDistribution, _ shape: [Int], _ random: inout RandomNumbers, _ backend: any Backend
    ) -> Tensor {
        let child = random.split()
        let result = Tensor.uninitialized(shape: shape, on: backend)
        backend.random(distribution, key: child.seed, stream: child.stream, into: result)
        return result
    }

    // MARK: - Regularisation

    /// Sets elements to zero with probability `rate` and scales the others by 1/(1 − rate) (jmlr v15 srivastava14a).
    public func dropout(_ rate: Float, random: inout RandomNumbers) -> Tensor {
        require(rate >= 0 && rate < 1, "dropout", expected: "a rate in [0, 1)", got: "\(rate)")
        guard rate > 0 else { return self }
        return self * Tensor.random(.dropout(keep: 1 - rate), shape, &random, backend).cast(to: dtype)
    }

    /// Stochastic depth: ``dropout(_:random:)`` of whole samples (the first axis), for residual branches
    /// (arXiv 1603.09382).
    public func dropPath(_ rate: Float, random: inout RandomNumbers) -> Tensor {
        require(rate >= 0 && rate < 1 && rank >= 1, "dropPath", expected: "a rate in [0, 1)", got: "\(rate)")
        guard rate > 0 else { return self }
        let mask = [shape[0]] + [Int](repeating: 1, count: rank - 1)
        return self * Tensor.random(.dropout(keep: 1 - rate), mask, &random, backend).cast(to: dtype)
    }
}
