import ImageProcessing

/// Makes the difference between a restored and an observed image zero on large scales.
///
/// A network may be biased, and shrinkage is; the linear estimate is not. So the difference to it, smoothed over ``scale`` pixels,
/// is taken away. Filled pixels do not count, light that is far above the noise counts little, and differences are cut at ± 4 of
/// the noise, so that neither light that was rightly removed nor a star whose core grew sharper comes back as a halo.
struct FluxConservation {
    /// σ of the Gaussian, pixels.
    static let scale: Float = 32

    /// Noise that the linear estimate has on this scale, in σ: it is added to the uncertainty.
    static let noise: Float = 1 / (2 * Float.pi.squareRoot() * scale)

    /// Light of so many times the noise counts half.
    private static let bright: Float = 20

    /// - Parameters:
    ///   - restored: in σ.
    ///   - valid: pixels that were observed.
    static func apply(to restored: inout [Float], input: RestorationInput, valid: [Bool]) {
        var (differences, weights) = (restored, restored)
        for i in restored.indices {
            let deviation = input.linearDeviation[i]
            let light = input.base[i] / (bright * deviation)
            weights[i] = valid[i] ? 1 / (1 + light * light) : 0
            let limit = 4 * deviation
            differences[i] = weights[i] * min(max(restored[i] - input.linear[i], -limit), limit)
        }
        let sums = PlaneFilter.smooth(differences, width: input.width, height: input.height, sigma: scale)
        let norms = PlaneFilter.smooth(weights, width: input.width, height: input.height, sigma: scale)
        for i in restored.indices where norms[i] > 0.05 { restored[i] -= sums[i] / norms[i] }
    }
}
