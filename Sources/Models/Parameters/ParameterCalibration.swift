#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Factors that make predicted standard deviations hold 68 % of the truths, by output and signal to noise.
public struct ParameterCalibration: Sendable, Codable, Hashable {
    /// Signal to noise in the middle of each bin, rising; empty before calibration.
    public private(set) var signalToNoise: [Float] = []
    /// Factors, a row a bin and a column an output.
    public private(set) var factors: [[Float]] = []

    /// No correction.
    public init() {}

    /// Factors from predictions whose truth is known, in bins with equally many of them.
    ///
    /// - Parameters:
    ///   - ratios: |truth − mean| / σ, a row an object and a column an output.
    ///   - signalToNoise: of each object.
    public init(ratios: [[Float]], signalToNoise: [Float], bins: Int = 6) {
        let order = signalToNoise.indices.sorted { signalToNoise[$0] < signalToNoise[$1] }
        let outputs = ratios.first?.count ?? 0
        for bin in 0..<bins {
            let members = order[(bin * order.count / bins)..<((bin + 1) * order.count / bins)]
            guard members.count >= 20 else { continue }
            self.signalToNoise.append(signalToNoise[members[members.startIndex + members.count / 2]])
            factors.append(
                (0..<outputs).map { output in
                    let sorted = members.map { ratios[$0][output] }.sorted()
                    return max(sorted[Int(0.6827 * Double(sorted.count - 1))], 1e-3)
                })
        }
    }

    /// The factor of an output, linear in the logarithm of the signal to noise between the bins.
    public func factor(_ output: Int, signalToNoise value: Float) -> Float {
        guard let first = signalToNoise.first, let last = signalToNoise.last else { return 1 }
        if value <= first { return factors[0][output] }
        if value >= last { return factors[factors.count - 1][output] }
        let above = signalToNoise.firstIndex { $0 > value } ?? signalToNoise.count - 1
        let (low, high) = (log(signalToNoise[above - 1]), log(signalToNoise[above]))
        let share = high > low ? (log(value) - low) / (high - low) : 0
        return (1 - share) * factors[above - 1][output] + share * factors[above][output]
    }
}
