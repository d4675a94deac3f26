import Tensors
import TestSupport
import Testing
import Training

/// Against scikit-learn and SciPy; Tests/Fixtures/morphology/make_metrics.py made the values.
@Suite struct MetricsTests {
    struct Fixture: Decodable {
        struct Classes: Decodable {
            var probabilities: [Double]
            var labels: [Int]
            var values: [String: Double]
        }
        struct Labels: Decodable {
            var probabilities: [Double]
            var truths: [Double]
            var values: [String: Double]
        }
        struct Votes: Decodable {
            var votes: [Double]
            var concentrations: [Double]
            var log_likelihood: [Double]
            var multinomial: [Double]
            var loss: Double
            var gradient: [Double]
        }
        var classes: Classes
        var labels: Labels
        var votes: Votes
    }

    let reference: Fixture

    init() throws { reference = try fixture("morphology/metrics.json", as: Fixture.self) }

    @Test func metricsOfClassesAreThoseOfScikitLearn() {
        let set = reference.classes
        let metrics = ClassMetrics(probabilities: set.probabilities, labels: set.labels, classCount: 4)
        let values = metrics.values(weights: .init(repeating: 1, count: set.labels.count))
        #expect(values.count == set.values.count)
        for (name, expected) in set.values { #expect(abs(values[name]! - expected) < 1e-9, "\(name)") }
    }

    @Test func metricsOfALabelAreThoseOfScikitLearnAlsoWithTies() {
        let set = reference.labels
        let metrics = LabelMetrics(probabilities: set.probabilities, truths: set.truths, base: 0.5)
        let values = metrics.values(weights: .init(repeating: 1, count: set.truths.count))
        for (name, expected) in set.values { #expect(abs(values[name]! - expected) < 1e-9, "\(name)") }
    }

    /// A weight of 2 is the same as the object twice, and a weight of 0 as leaving it out.
    @Test func weightsCountObjects() {
        let set = reference.classes
        let count = set.labels.count
        let weights = (0..<count).map { Double($0 % 3) }
        let repeated = (0..<count).flatMap { [Int](repeating: $0, count: $0 % 3) }
        let weighted = ClassMetrics(probabilities: set.probabilities, labels: set.labels, classCount: 4)
            .values(weights: weights)
        let spelledOut = ClassMetrics(
            probabilities: repeated.flatMap { set.probabilities[($0 * 4)..<($0 * 4 + 4)] },
            labels: repeated.map { set.labels[$0] }, classCount: 4
        ).values(weights: .init(repeating: 1, count: repeated.count))
        for (name, value) in spelledOut { #expect(abs(value - weighted[name]!) < 1e-9, "\(name)") }
    }

    @Test func votesAreAsLikelyAsSciPySays() {
        let set = reference.votes
        for row in 0..<4 {
            let (votes, alpha) = (
                Array(set.votes[(row * 3)..<(row * 3 + 3)]), Array(set.concentrations[(row * 3)..<(row * 3 + 3)])
            )
            let sum = alpha.reduce(0, +)
            #expect(abs(VoteMetrics.dirichletMultinomial(votes, alpha) - set.log_likelihood[row]) < 1e-9)
            #expect(abs(VoteMetrics.multinomial(votes, alpha.map { $0 / sum }) - set.multinomial[row]) < 1e-9)
        }
    }

    /// The loss that trees are trained with, and its gradient, which needs the digamma function.
    @Test func theLossOfVotesAndItsGradientAreSciPys() {
        let set = reference.votes
        let backend = CPUBackend(threads: 1)
        let tape = Tape()
        let alpha = Tensor(set.concentrations.map(Float.init), shape: [4, 3], on: backend)
        let votes = Tensor(set.votes.map(Float.init), shape: [4, 3], on: backend)
        let loss = tape.watch(alpha).dirichletMultinomial(counts: votes)
        #expect(abs(Double(loss.scalar) - set.loss) < 1e-5 * set.loss)
        let gradient = tape.gradients(of: loss)[alpha]!.floats()
        for (value, expected) in zip(gradient, set.gradient) {
            #expect(abs(Double(value) - expected) < 2e-5 * max(1, abs(expected)))
        }
    }

    /// The interval of a mean of n coins is close to ± 1.96 √(p(1−p)/n).
    @Test func intervalsOfAShareAreThoseOfTheBinomial() {
        let right = (0..<400).map { $0 % 4 != 0 }
        let interval = Bootstrap(resamples: 2000, seed: 3).intervals(count: 400) { weights in
            ["share": zip(weights, right).reduce(0) { $0 + ($1.1 ? $1.0 : 0) } / weights.reduce(0, +)]
        }["share"]!
        #expect(interval.value == 0.75)
        #expect(abs(interval.low - (0.75 - 0.0424)) < 0.006 && abs(interval.high - (0.75 + 0.0424)) < 0.006)
    }
}
