/// An estimate of the light in a noisy plane: the detail of each starlet scale, multiplied by the share of its local power that
/// is not noise.
///
/// This is the empirical Wiener filter in two rounds (Ghael, Sayeed and Baraniuk 1997, Proc. SPIE 3169, 389): a first estimate from the local
/// power of the noisy detail, minus that of the noise; then the power of the first estimate decides the shares E / (E + σ²).
/// What is far above the noise stays as it is, so that its photometry does too.
package struct StarletShrinkage {
    /// Of the first round.
    package let pilot: [Float]
    package let estimate: [Float]
    /// What the shares say of the variance that is left: Σ σ² E / (E + σ²) over the scales, smoothed over each.
    package let variance: [Float]

    /// How many times the noise's power the detail must have to count in the first round.
    private static let threshold: Float = 1.5

    /// - Parameter noise: standard deviation of each pixel, before what made `levels`.
    package init(_ plane: [Float], noise: [Float], levels: StarletNoise, width: Int, height: Int) {
        func smoothed(_ plane: [Float], _ scale: Int) -> [Float] {
            StarletTransform.smoothed(plane, width: width, height: height, scale: scale)
        }
        let noisePower = noise.map { $0 * $0 }
        let (details, rest) = StarletTransform.details(plane, width: width, height: height)
        var pilot = rest
        for (scale, detail) in details.enumerated() {
            let unit = 1 / (levels.deviations[scale] * levels.deviations[scale])
            let power = smoothed(smoothed(zip(detail, noisePower).map { unit * $0 * $0 / $1 }, scale), scale + 1)
            for i in pilot.indices {
                pilot[i] += detail[i] * max(0, power[i] - Self.threshold) / max(power[i], 1e-9)
            }
        }
        var (estimate, variance) = (rest, [Float](repeating: 0, count: rest.count))
        let (first, _) = StarletTransform.details(pilot, width: width, height: height)
        for (scale, detail) in details.enumerated() {
            let unit = levels.deviations[scale] * levels.deviations[scale]
            let power = smoothed(first[scale].map { $0 * $0 }, scale)
            var left = power
            for i in estimate.indices {
                let noise = unit * noisePower[i]
                let share = power[i] / (power[i] + noise)
                estimate[i] += detail[i] * share
                left[i] = share * noise
            }
            left = smoothed(left, scale)
            for i in variance.indices { variance[i] += left[i] }
        }
        (self.pilot, self.estimate, self.variance) = (pilot, estimate, variance)
    }
}
