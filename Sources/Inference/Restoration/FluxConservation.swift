import ImageProcessing

/// Makes the difference between a restored and an observed image zero on large scales.
///
/// A network may be biased; the linear estimate that it corrects is not. So the network's correction, smoothed over
/// ``scale`` pixels, is taken away again. Pixels that were filled do not count, and corrections are cut at ± 3 of their local
/// scale, so that light that was rightly removed does not come back as a halo.
struct FluxConservation {
    /// σ of the Gaussian, pixels.
    static let scale: Float = 32

    /// Noise that the linear estimate has on this scale, in σ: it is added to the uncertainty.
    static let noise: Float = 1 / (2 * Float.pi.squareRoot() * scale)

    /// - Parameters:
    ///   - restored: in σ.
    ///   - valid: pixels that were observed.
    static func apply(to restored: inout [Float], input: RestorationInput, valid: [Bool]) {
        var (corrections, weights) = (restored, restored)
        for i in restored.indices {
            let limit = 3 * input.scale[i]
            weights[i] = valid[i] ? 1 : 0
            corrections[i] = weights[i] * min(max(restored[i] - input.base[i], -limit), limit)
        }
        let sums = PlaneFilter.smooth(corrections, width: input.width, height: input.height, sigma: scale)
        let norms = PlaneFilter.smooth(weights, width: input.width, height: input.height, sigma: scale)
        for i in restored.indices where norms[i] > 0.05 { restored[i] -= sums[i] / norms[i] }
    }
}
