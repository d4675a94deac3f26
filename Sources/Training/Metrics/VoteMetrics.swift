#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How good predicted vote fractions of one question are.
public struct VoteMetrics: Sendable {
    private let answerCount: Int
    /// count × answers.
    private let fractions: [Double]
    private let concentrations: [Double]
    private let votes: [Double]
    private let totals: [Double]
    private let base: [Double]
    private let baseConcentrations: [Double]

    public var count: Int { totals.count }

    /// Galaxies without votes for the question are left out by the caller.
    ///
    /// - Parameters:
    ///   - fractions: count × answers, each row with sum 1.
    ///   - concentrations: count × answers, of the Dirichlet distribution.
    ///   - votes: count × answers.
    ///   - base: the fractions among all training votes: the baseline that does not look at the image.
    ///   - baseConcentrations: of the best Dirichlet distribution that does not look at the image.
    public init(
        fractions: [Double], concentrations: [Double], votes: [Double], base: [Double], baseConcentrations: [Double]
    ) {
        precondition(
            fractions.count == votes.count && concentrations.count == votes.count && !base.isEmpty
                && votes.count % base.count == 0,
            "[VoteMetrics] expected fractions and concentrations for \(votes.count) votes of \(base.count) answers")
        answerCount = base.count
        self.fractions = fractions
        self.concentrations = concentrations
        self.votes = votes
        self.base = base
        self.baseConcentrations = baseConcentrations
        totals = stride(from: 0, to: votes.count, by: base.count).map { votes[$0..<($0 + base.count)].reduce(0, +) }
    }

    /// All metrics by name. `rmse`, `mean_deviation`: of the fractions against those of the votes; `accuracy`: how often the
    /// answer with most votes is predicted; `log_likelihood`: mean per galaxy of the multinomial with the predicted fractions;
    /// `dirichlet_log_likelihood`: of the Dirichlet-multinomial. Each also as `…_baseline` for a prediction that does not look.
    public func values(weights: [Double]) -> [String: Double] {
        var sums: [String: Double] = [:]
        func add(_ name: String, _ value: Double) { sums[name, default: 0] += value }
        let total = weights.reduce(0, +)
        for row in totals.indices where weights[row] > 0 {
            let range = (row * answerCount)..<((row + 1) * answerCount)
            let cells = Array(votes[range])
            let w = weights[row]
            for (suffix, p, alpha) in [
                ("", Array(fractions[range]), Array(concentrations[range])), ("_baseline", base, baseConcentrations),
            ] {
                let observed = cells.map { $0 / totals[row] }
                let differences = zip(p, observed).map { $0 - $1 }
                add("rmse" + suffix, w * differences.reduce(0) { $0 + $1 * $1 } / Double(answerCount))
                add("mean_deviation" + suffix, w * differences.reduce(0) { $0 + abs($1) } / Double(answerCount))
                add("log_likelihood" + suffix, w * Self.multinomial(cells, p))
                add("dirichlet_log_likelihood" + suffix, w * Self.dirichletMultinomial(cells, alpha))
                let guess = p.indices.max { p[$0] < p[$1] }!
                add("accuracy" + suffix, cells[guess] == cells.max()! ? w : 0)
            }
        }
        var result = sums.mapValues { $0 / total }
        for name in ["rmse", "rmse_baseline"] { result[name] = result[name]?.squareRoot() }
        return result
    }

    /// `log P(votes)` of a multinomial distribution with these probabilities.
    public static func multinomial(_ votes: [Double], _ probabilities: [Double]) -> Double {
        zip(votes, probabilities).reduce(coefficient(votes)) { sum, pair in
            pair.0 > 0 ? sum + pair.0 * LogLoss.logarithm(pair.1) : sum
        }
    }

    /// `log P(votes)` of a Dirichlet-multinomial distribution with these concentrations.
    public static func dirichletMultinomial(_ votes: [Double], _ concentrations: [Double]) -> Double {
        let (n, a) = (votes.reduce(0, +), concentrations.reduce(0, +))
        return zip(votes, concentrations).reduce(coefficient(votes) + logGamma(a) - logGamma(n + a)) {
            $0 + logGamma($1.0 + $1.1) - logGamma($1.1)
        }
    }

    private static func coefficient(_ votes: [Double]) -> Double {
        logGamma(votes.reduce(0, +) + 1) - votes.reduce(0) { $0 + logGamma($1 + 1) }
    }

    /// The re-entrant form.
    private static func logGamma(_ x: Double) -> Double {
        var sign: Int32 = 0
        return lgamma_r(x, &sign)
    }
}
