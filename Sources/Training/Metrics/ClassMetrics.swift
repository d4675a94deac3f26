/// How good probabilities of exclusive classes are. Definitions are scikit-learn's.
public struct ClassMetrics: Sendable {
    public let classCount: Int
    public let labels: [Int]
    /// count × classes.
    private let probabilities: [Double]
    private let curves: [ROCCurve]
    public let predicted: [Int]

    public var count: Int { labels.count }

    /// - Parameters:
    ///   - probabilities: count × classes, each row with sum 1.
    ///   - labels: the true classes.
    public init(probabilities: [Double], labels: [Int], classCount: Int) {
        precondition(
            probabilities.count == labels.count * classCount,
            "[ClassMetrics] expected \(classCount) probabilities a label")
        self.probabilities = probabilities
        self.labels = labels
        self.classCount = classCount
        curves = (0..<classCount).map { name in
            ROCCurve(
                scores: labels.indices.map { probabilities[$0 * classCount + name] },
                positives: labels.map { $0 == name })
        }
        predicted = labels.indices.map { row in
            let start = row * classCount
            return (0..<classCount).max { probabilities[start + $0] < probabilities[start + $1] } ?? 0
        }
    }

    private func probability(_ row: Int, _ name: Int) -> Double { probabilities[row * classCount + name] }

    /// One class against the rest.
    public func curve(of name: Int) -> ROCCurve { curves[name] }

    /// Rows: true classes; columns: predicted ones.
    public func confusion(weights: [Double]? = nil) -> [[Double]] {
        var matrix = [[Double]](repeating: [Double](repeating: 0, count: classCount), count: classCount)
        for row in labels.indices { matrix[labels[row]][predicted[row]] += weights?[row] ?? 1 }
        return matrix
    }

    /// Confidence (the largest probability) and whether it was right.
    public var confidence: Reliability {
        Reliability(
            probabilities: labels.indices.map { probability($0, predicted[$0]) },
            outcomes: labels.indices.map { labels[$0] == predicted[$0] ? 1 : 0 })
    }

    /// All metrics by name: `auc` (macro, one against the rest, over the classes that occur), `accuracy`, `balanced_accuracy`,
    /// `f1` (macro), `log_loss`, `brier` (sum over classes), `calibration_error` (of the confidence, 15 bins).
    public func values(weights: [Double]) -> [String: Double] {
        let matrix = confusion(weights: weights)
        let total = weights.reduce(0, +)
        let right = (0..<classCount).reduce(0) { $0 + matrix[$1][$1] }
        var (recalls, scores, areas): ([Double], [Double], [Double]) = ([], [], [])
        for name in 0..<classCount {
            let truth = matrix[name].reduce(0, +)
            let found = matrix.reduce(0) { $0 + $1[name] }
            if truth > 0 { recalls.append(matrix[name][name] / truth) }
            // scikit-learn leaves out a class that is neither true nor predicted.
            if truth + found > 0 { scores.append(2 * matrix[name][name] / (truth + found)) }
            let area = curves[name].area(weights: weights)
            if area.isFinite { areas.append(area) }
        }
        var (logLoss, brier) = (0.0, 0.0)
        for row in labels.indices where weights[row] > 0 {
            logLoss -= weights[row] * LogLoss.logarithm(probability(row, labels[row]))
            for name in 0..<classCount {
                let difference = probability(row, name) - (labels[row] == name ? 1 : 0)
                brier += weights[row] * difference * difference
            }
        }
        return [
            "auc": Self.mean(areas), "accuracy": right / total, "balanced_accuracy": Self.mean(recalls),
            "f1": Self.mean(scores), "log_loss": logLoss / total, "brier": brier / total,
            "calibration_error": confidence.expectedError(weights: weights),
        ]
    }

    private static func mean(_ values: [Double]) -> Double {
        values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
    }
}
