/// Losses, as scalars: means over all elements or rows, so that they do not depend on the batch size.
///
/// They are written with differentiable operations; their derivatives follow from those.
extension Tensor {
    // MARK: - Regression

    /// Mean of `(self − target)²`; with a mask (broadcast, 0 or 1 or any weight) the weighted mean.
    public func meanSquaredError(_ target: Tensor, mask: Tensor? = nil) -> Tensor {
        (self - target).square().weightedMean(mask)
    }

    /// Mean of `|self − target|`, or the weighted mean.
    public func meanAbsoluteError(_ target: Tensor, mask: Tensor? = nil) -> Tensor {
        (self - target).abs().weightedMean(mask)
    }

    /// Huber's loss (doi:10.1214/aoms/1177703732): quadratic to `delta`, linear with slope `delta` beyond.
    public func huberLoss(_ target: Tensor, delta: Float = 1, mask: Tensor? = nil) -> Tensor {
        require(delta > 0, "huberLoss", expected: "delta > 0", got: "\(delta)")
        let difference = (self - target).scaled(by: 1 / delta)
        return difference.huber().scaled(by: delta * delta).weightedMean(mask)
    }

    /// Mean negative log likelihood of a normal distribution with mean `self` and the given logarithm of the variance,
    /// without the constant ½ log 2π: `½ (logVariance + (target − self)² / variance)`.
    public func gaussianNegativeLogLikelihood(_ target: Tensor, logVariance: Tensor, mask: Tensor? = nil) -> Tensor {
        let scaled = (self - target).square() * (-logVariance).exp()
        return (logVariance + scaled).scaled(by: 0.5).weightedMean(mask)
    }

    /// Mean squared error per patch, averaged over the masked patches: the loss of masked autoencoders
    /// (arXiv 2111.06377, eq. in section 3).
    /// - Parameters:
    ///   - target: (B, N, P), as `self`.
    ///   - mask: (B, N), 1 for patches that were hidden and count, else 0.
    ///   - normalizing: use targets normalised by the mean and variance (unbiased) of their own patch.
    ///   - noiseVariance: added to that variance: patches of nothing but noise, which nobody can predict, then count little.
    public func maskedPatchError(
        _ target: Tensor, mask: Tensor, normalizing: Bool = false, noiseVariance: Float = 0
    ) -> Tensor {
        require(
            rank == 3 && target.shape == shape && mask.shape == [shape[0], shape[1]], "maskedPatchError",
            expected: "prediction and target (B, N, P), mask (B, N)",
            got: "\(shape), \(target.shape) and \(mask.shape)")
        var target = target.detached
        if normalizing {
            let width = Float(shape[2])
            // Layer norm divides by n; the published loss by n − 1, hence the factor and the scaled epsilon.
            let correction = (width - 1) / width
            target = target.layerNorm(weight: nil, bias: nil, epsilon: (1e-6 + noiseVariance) * correction)
                .scaled(by: correction.squareRoot())
        }
        return (self - target).square().mean(axes: [2]).weightedMean(mask)
    }

    // MARK: - Classification

    /// Mean cross-entropy of logits `self` (B, K) with class labels.
    /// - Parameters:
    ///   - labels: (B) int32.
    ///   - smoothing: the target is 1 − smoothing for the label, and smoothing/K more for every class
    ///     (arXiv 1512.00567).
    public func crossEntropy(labels: Tensor, smoothing: Float = 0) -> Tensor {
        require(
            rank == 2 && labels.shape == [shape[0]] && labels.dtype == .int32, "crossEntropy",
            expected: "logits (B, K) and int32 labels (B)", got: "\(shape) and \(labels.dtype.rawValue) \(labels.shape)"
        )
        let logarithms = cast(to: .float32).logSoftmax()
        let (b, k) = (shape[0], shape[1])
        let likelihood = logarithms.reshape([b, k, 1]).gatherTokens(labels.reshape([b, 1])).mean()
        guard smoothing > 0 else { return -likelihood }
        return -(likelihood.scaled(by: 1 - smoothing) + logarithms.mean().scaled(by: smoothing))
    }

    /// Mean cross-entropy of logits `self` (B, K) with target probabilities (B, K).
    public func crossEntropy(probabilities: Tensor) -> Tensor {
        require(
            rank == 2 && probabilities.shape == shape, "crossEntropy", expected: "logits and probabilities (B, K)",
            got: "\(shape) and \(probabilities.shape)")
        return (cast(to: .float32).logSoftmax() * probabilities).sum().scaled(by: -1 / Float(shape[0]))
    }

    /// Mean binary cross-entropy of logits with targets in [0, 1]: `softplus(x) − x·target`, which does not overflow.
    public func binaryCrossEntropy(_ target: Tensor, mask: Tensor? = nil) -> Tensor {
        (softplus() - self * target).weightedMean(mask)
    }

    /// Mean negative log likelihood of vote counts under a Dirichlet-multinomial distribution, as Galaxy Zoo DECaLS
    /// uses (arXiv 2102.08414, section 4.1), without the multinomial coefficient, which does not depend on `self`.
    /// - Parameters:
    ///   - counts: votes for each answer, (B, K); rows without votes contribute 0.
    ///   - self: concentrations α > 0, (B, K).
    public func dirichletMultinomial(counts: Tensor) -> Tensor {
        require(
            rank == 2 && counts.shape == shape, "dirichletMultinomial", expected: "concentrations and counts (B, K)",
            got: "\(shape) and \(counts.shape)")
        let total = sum(axes: [1])
        let votes = counts.sum(axes: [1])
        let logLikelihood =
            total.logGamma() - (total + votes).logGamma()
            + ((self + counts).logGamma() - logGamma()).sum(axes: [1])
        return -logLikelihood.mean()
    }

    // MARK: - Means

    /// `Σ w·x / Σ w` with w broadcast to x; the plain mean without weights. Zero weights everywhere give 0.
    private func weightedMean(_ weights: Tensor?) -> Tensor {
        guard let weights else { return mean() }
        let full = weights.detached.cast(to: .float32).broadcast(to: shape)
        let total = full.sum()
        let tiny = Tensor.full([], .leastNormalMagnitude, on: backend)
        let divisor = Tensor.uninitialized(shape: [], on: backend)
        backend.binary(.maximum, total, tiny, into: divisor)
        return (self * full).sum() / divisor
    }
}
