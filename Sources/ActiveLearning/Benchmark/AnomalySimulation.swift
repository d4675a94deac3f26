import Foundation
import Tensors
import Training

/// Finding more of a rare kind: from a few labelled anomalies through some cycles of review.
///
/// In each cycle the person looks at the objects that the model calls anomalies most surely and at those it is least sure of,
/// half of each, and the model learns again. It is judged on objects that nobody is shown.
public struct AnomalySimulation: Sendable {
    /// What a model is worth.
    public struct Quality: Sendable, Equatable {
        /// Area under the ROC curve.
        public var auroc: Double
        /// Area under the precision-recall curve: average precision.
        public var auprc: Double
        /// Share of anomalies among the hundredth of the objects with the largest scores.
        public var precisionInTop: Double
    }

    /// Labelled anomalies at the start.
    public var anomalies = 8
    /// Labelled normal objects at the start.
    public var normals = 40
    public var cycles = 3
    /// Answers a cycle.
    public var answers = 60
    /// Share of wrong answers.
    public var error = 0.05
    public var testShare = 0.5
    let features: MorphologyFeatures
    let isAnomaly: [Bool]

    public init(features: MorphologyFeatures, isAnomaly: [Bool]) {
        precondition(features.count == isAnomaly.count, "[AnomalySimulation] expected a truth a vector")
        self.features = features
        self.isAnomaly = isAnomaly
    }

    /// - Parameter guided: false shows random objects in the cycles, for comparison.
    /// - Returns: the quality at the start and after each cycle.
    public func run(seed: Int, guided: Bool) throws -> [Quality] {
        var random = RandomNumbers(seed: UInt64(seed), stream: 0xA0)
        let order = random.permutation(isAnomaly.count)
        let test = Array(order.prefix(Int(Double(order.count) * testShare)))
        let pool = Array(order.dropFirst(test.count))
        let poolFeatures = MorphologyFeatures(features.numbers(pool), width: features.width)
        let testFeatures = MorphologyFeatures(features.numbers(test), width: features.width)
        // The first labels are right: somebody chose them as examples.
        var answers = pool.map { isAnomaly[$0] }
        let first = Array(answers.indices.filter { answers[$0] }.prefix(anomalies))
        var labelled = first + answers.indices.filter { !answers[$0] }.prefix(normals)
        let known = Set(labelled)
        for row in answers.indices where !known.contains(row) {
            if Double(random.integer(below: 1_000_000)) / 1e6 < error { answers[row].toggle() }
        }
        var result: [Quality] = []
        for cycle in 0...cycles {
            let ensemble = try HeadEnsemble(
                .init(seed: UInt64(seed)), features: poolFeatures,
                labels: labelled.map { (row: $0, label: answers[$0] ? 1 : 0) }, classes: ["normal", "anomaly"])
            let scores = Self.scores(ensemble.probabilities(of: testFeatures))
            result.append(Self.quality(scores, test.map { isAnomaly[$0] }))
            guard cycle < cycles else { break }
            let seen = Set(labelled)
            var open = answers.indices.filter { !seen.contains($0) }
            if guided {
                let scores = Self.scores(ensemble.probabilities(Array(answers.indices)))
                let sure = open.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(self.answers / 2)
                let taken = Set(sure)
                let unsure = open.filter { !taken.contains($0) }
                    .sorted { (abs(scores[$0] - 0.5), $0) < (abs(scores[$1] - 0.5), $1) }
                    .prefix(self.answers - sure.count)
                labelled += Array(sure) + unsure
            } else {
                open.shuffle(using: &random)
                labelled += open.prefix(self.answers)
            }
        }
        return result
    }

    private static func scores(_ members: [[[Double]]]) -> [Double] {
        (members.first ?? []).indices.map { row in Uncertainty.mean(members.map { $0[row] })[1] }
    }

    /// - Parameter scores: larger is more probably an anomaly.
    package static func quality(_ scores: [Double], _ truth: [Bool]) -> Quality {
        let order = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
        // Precision at each anomaly, as scikit-learn's average_precision_score has it where no scores are equal.
        var (found, sum) = (0.0, 0.0)
        for (place, index) in order.enumerated() where truth[index] {
            found += 1
            sum += found / Double(place + 1)
        }
        let top = order.prefix(max(1, Int((Double(order.count) / 100).rounded())))
        return Quality(
            auroc: ROCCurve(scores: scores, positives: truth).area(), auprc: found > 0 ? sum / found : .nan,
            precisionInTop: Double(top.count { truth[$0] }) / Double(top.count))
    }
}
