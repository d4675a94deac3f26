/// The receiver operating characteristic of a score that is to tell positives from negatives.
public struct ROCCurve: Sendable {
    /// Objects by falling score.
    private let order: [Int]
    private let scores: [Double]
    private let positives: [Bool]

    /// - Parameters:
    ///   - scores: larger means more probably positive.
    ///   - positives: the truth.
    public init(scores: [Double], positives: [Bool]) {
        precondition(scores.count == positives.count, "[ROCCurve] expected a truth a score")
        self.scores = scores
        self.positives = positives
        order = scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }
    }

    /// The area under the curve: the probability that a positive has the larger score than a negative, ties counting half.
    /// NaN where one of the two is missing.
    ///
    /// - Parameter weights: how often each object counts; once by default.
    public func area(weights: [Double]? = nil) -> Double {
        var (area, positive, negative) = (0.0, 0.0, 0.0)
        forEachStep(weights) { p, n in
            // The trapezium over the negatives of this step.
            area += n * (positive + p / 2)
            positive += p
            negative += n
        }
        return positive > 0 && negative > 0 ? area / (positive * negative) : .nan
    }

    /// False and true positive rates, from (0, 0) to (1, 1).
    public func points() -> (falsePositive: [Double], truePositive: [Double]) {
        var (x, y): ([Double], [Double]) = ([0], [0])
        let total = (
            positive: max(1, Double(positives.count { $0 })), negative: max(1, Double(positives.count { !$0 }))
        )
        var (positive, negative) = (0.0, 0.0)
        forEachStep(nil) { p, n in
            positive += p
            negative += n
            x.append(negative / total.negative)
            y.append(positive / total.positive)
        }
        return (x, y)
    }

    /// Weights of positives and negatives at each different score, falling.
    private func forEachStep(_ weights: [Double]?, _ body: (_ positives: Double, _ negatives: Double) -> Void) {
        var index = 0
        while index < order.count {
            let score = scores[order[index]]
            var (p, n) = (0.0, 0.0)
            while index < order.count, scores[order[index]] == score {
                let weight = weights?[order[index]] ?? 1
                if positives[order[index]] { p += weight } else { n += weight }
                index += 1
            }
            body(p, n)
        }
    }
}
