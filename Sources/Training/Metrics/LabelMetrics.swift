/// How good probabilities of one label are, or predictions of a strength between 0 and 1. A strength of ½ and more counts as
/// positive where only yes and no have a meaning.
public struct LabelMetrics: Sendable {
    private let probabilities: [Double]
    private let truths: [Double]
    /// The score against yes and no.
    public let curve: ROCCurve
    /// Mean of the truths: what one would predict without seeing the image.
    private let base: Double

    public var count: Int { truths.count }

    /// - Parameter base: the mean truth of the training images: the baseline of `rmse_baseline`.
    public init(probabilities: [Double], truths: [Double], base: Double) {
        precondition(probabilities.count == truths.count, "[LabelMetrics] expected a truth a probability")
        self.probabilities = probabilities
        self.truths = truths
        self.base = base
        curve = ROCCurve(scores: probabilities, positives: truths.map { $0 >= 0.5 })
    }

    public var reliability: Reliability { Reliability(probabilities: probabilities, outcomes: truths) }

    /// All metrics by name: `auc`, `accuracy`, `balanced_accuracy`, `f1`, `log_loss`, `brier`, `calibration_error` (15 bins),
    /// `rmse` and `mean_deviation` of the strength, and `rmse_baseline` of a constant.
    public func values(weights: [Double]) -> [String: Double] {
        // [truth][prediction]
        var table = [[0.0, 0.0], [0.0, 0.0]]
        var (logLoss, squares, deviations, constant) = (0.0, 0.0, 0.0, 0.0)
        for row in truths.indices where weights[row] > 0 {
            let (p, y, w) = (probabilities[row], truths[row], weights[row])
            table[y >= 0.5 ? 1 : 0][p >= 0.5 ? 1 : 0] += w
            logLoss -= w * (y * LogLoss.logarithm(p) + (1 - y) * LogLoss.logarithm(1 - p))
            squares += w * (p - y) * (p - y)
            deviations += w * abs(p - y)
            constant += w * (base - y) * (base - y)
        }
        let total = weights.reduce(0, +)
        let (negatives, positives) = (table[0][0] + table[0][1], table[1][0] + table[1][1])
        let recalls = [
            negatives > 0 ? table[0][0] / negatives : nil, positives > 0 ? table[1][1] / positives : nil,
        ].compactMap { $0 }
        let mentioned = 2 * table[1][1] + table[0][1] + table[1][0]
        return [
            "auc": curve.area(weights: weights), "accuracy": (table[0][0] + table[1][1]) / total,
            "balanced_accuracy": recalls.reduce(0, +) / Double(recalls.count),
            "f1": mentioned > 0 ? 2 * table[1][1] / mentioned : 0, "log_loss": logLoss / total,
            "brier": squares / total,
            "calibration_error": reliability.expectedError(weights: weights),
            "rmse": (squares / total).squareRoot(), "mean_deviation": deviations / total,
            "rmse_baseline": (constant / total).squareRoot(),
        ]
    }
}
