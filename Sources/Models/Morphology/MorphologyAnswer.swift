#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Factors that make probabilities agree with how often they are right, found on images that the model was not trained on
/// (temperature scaling, Guo et al. 2017, arXiv 1706.04599).
public struct MorphologyCalibration: Codable, Sendable, Hashable {
    /// What logits are divided by: one number, or one a label.
    public var temperatures: [Double]
    /// What the concentrations of a tree are multiplied by.
    public var concentration: Double

    public init(temperatures: [Double] = [1], concentration: Double = 1) {
        self.temperatures = temperatures
        self.concentration = concentration
    }
}

/// What a model says of one image.
public struct MorphologyAnswer: Sendable, Hashable {
    /// Probability of each class or label; expected vote fraction of each answer of a tree.
    public var values: [Double]
    /// Of a tree: the concentration of each answer.
    public var concentrations: [Double] = []
    /// Of a tree: the standard deviation of each fraction under the Dirichlet distribution.
    public var deviations: [Double] = []
    /// Of a tree: for each question the expected share of people who are asked it.
    public var parents: [Double] = []
}

extension MorphologyTarget {
    /// What logits say.
    ///
    /// - Parameter logits: ``outputCount`` numbers.
    public func answer(
        _ logits: some Collection<Float>, _ calibration: MorphologyCalibration = MorphologyCalibration()
    ) -> MorphologyAnswer {
        precondition(
            logits.count == outputCount, "[MorphologyTarget] expected \(outputCount) logits, got \(logits.count)")
        let numbers = logits.map(Double.init)
        func temperature(_ index: Int) -> Double {
            calibration.temperatures.count > 1 ? calibration.temperatures[index] : calibration.temperatures[0]
        }
        switch self {
        case .classes: return MorphologyAnswer(values: Self.softmax(numbers[...], temperature(0)))
        case .labels:
            return MorphologyAnswer(
                values: numbers.enumerated().map { 1 / (1 + exp(-$0.element / temperature($0.offset))) })
        case .tree(let tree):
            var answer = MorphologyAnswer(values: [])
            let parents = tree.parentPlaces
            for (question, range) in tree.answerRanges.enumerated() {
                let total =
                    VoteScatter.concentration(numbers[tree.answerCount + question]) * calibration.concentration
                let alphas = Self.softmax(numbers[range], temperature(0)).map {
                    $0 * total + Double(VoteScatter.floor)
                }
                let sum = alphas.reduce(0, +)
                let fractions = alphas.map { $0 / sum }
                answer.values += fractions
                answer.concentrations += alphas
                answer.deviations += fractions.map { ($0 * (1 - $0) / (sum + 1)).squareRoot() }
                // The parents of a question stand before it, and so does the share of those who were asked them.
                answer.parents.append(
                    parents[question].map { place in
                        let asked = tree.answerRanges.firstIndex { $0.contains(place) }!
                        return answer.parents[asked] * answer.values[place]
                    } ?? 1)
            }
            return answer
        }
    }

    private static func softmax(_ logits: ArraySlice<Double>, _ temperature: Double) -> [Double] {
        let largest = logits.max() ?? 0
        let weights = logits.map { exp(($0 - largest) / temperature) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
