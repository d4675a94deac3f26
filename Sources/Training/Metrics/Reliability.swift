#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Whether things happen as often as their probabilities say.
public struct Reliability: Sendable {
    /// Objects whose probabilities are close to each other.
    public struct Bin: Sendable, Hashable {
        /// Mean probability.
        public var probability: Double
        /// How often it happened.
        public var frequency: Double
        public var weight: Double
    }

    private let probabilities: [Double]
    private let outcomes: [Double]

    /// - Parameters:
    ///   - probabilities: between 0 and 1.
    ///   - outcomes: 1 for what happened, 0 for what did not, or shares between.
    public init(probabilities: [Double], outcomes: [Double]) {
        precondition(probabilities.count == outcomes.count, "[Reliability] expected an outcome a probability")
        self.probabilities = probabilities
        self.outcomes = outcomes
    }

    /// Bins of equal width in probability; those with nothing in them are left out.
    public func bins(_ number: Int = 15, weights: [Double]? = nil) -> [Bin] {
        var bins = [(p: Double, y: Double, w: Double)](repeating: (0, 0, 0), count: number)
        for (index, probability) in probabilities.enumerated() {
            let place = min(Int(probability * Double(number)), number - 1)
            let weight = weights?[index] ?? 1
            bins[place].p += weight * probability
            bins[place].y += weight * outcomes[index]
            bins[place].w += weight
        }
        return bins.filter { $0.w > 0 }.map { Bin(probability: $0.p / $0.w, frequency: $0.y / $0.w, weight: $0.w) }
    }

    /// Expected calibration error (Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599, eq. 3): the mean difference of
    /// probability and frequency over the bins.
    public func expectedError(bins number: Int = 15, weights: [Double]? = nil) -> Double {
        let bins = bins(number, weights: weights)
        let total = bins.reduce(0) { $0 + $1.weight }
        return total > 0 ? bins.reduce(0) { $0 + $1.weight * abs($1.probability - $1.frequency) } / total : .nan
    }
}

/// Logarithms of probabilities for losses.
enum LogLoss {
    /// Cut at the smallest number that 1 can differ by, as scikit-learn does.
    static func logarithm(_ probability: Double) -> Double { log(min(max(probability, .ulpOfOne), 1)) }
}
