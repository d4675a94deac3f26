import Foundation
import Training

/// The interest that people's scores let expect of other objects, as Astronomaly learns it (Lochner & Bassett 2021, arXiv
/// 2010.11202, section 3.4), by kernel ridge regression on the embeddings.
///
/// An object near to labelled ones takes their interest; one far from all keeps its outlier score.
public struct RelevanceFeedback: Sendable {
    /// The largest score that a person gives.
    public static let largestInterest = 5.0

    private let features: MorphologyFeatures
    private let labelled: [Int]
    private let weights: [Double]
    private let mean: Double
    /// Length of the kernel: the median distance between labelled objects.
    public let length: Double

    /// - Parameters:
    ///   - features: of all objects.
    ///   - interest: 0 … 5 by row; at most the first 2000 rows are learnt from.
    ///   - ridge: noise of a person's score, as variance over that of the kernel.
    /// - Throws: ``ActiveLearningError`` without any label.
    public init(
        _ features: MorphologyFeatures, interest: [(row: Int, score: Double)], ridge: Double = 0.1
    ) throws(ActiveLearningError) {
        guard !interest.isEmpty else { throw ActiveLearningError(.labels, "there is no answer to learn from yet") }
        let known = Array(interest.prefix(2000))
        self.features = features
        let rows = known.map(\.row)
        let mean = known.reduce(0) { $0 + $1.score } / Double(known.count)
        (labelled, self.mean) = (rows, mean)
        var distances: [Double] = []
        for i in rows.indices {
            for j in 0..<i { distances.append(Self.squaredDistance(features, rows[i], rows[j]).squareRoot()) }
        }
        let sorted = distances.filter { $0 > 0 }.sorted()
        let length = sorted.isEmpty ? 1 : sorted[sorted.count / 2]
        self.length = length
        var matrix = [Double](repeating: 0, count: known.count * known.count)
        for i in known.indices {
            for j in known.indices {
                let squared = Self.squaredDistance(features, rows[i], rows[j])
                matrix[i * known.count + j] = exp(-squared / (2 * length * length)) + (i == j ? ridge : 0)
            }
        }
        weights = Self.solve(&matrix, known.map { $0.score - mean })
    }

    /// The expected interest of a row, 0 … 5, and the distance to the nearest labelled object.
    public func predict(_ row: Int) -> (interest: Double, nearest: Double) {
        var (sum, nearest) = (mean, Double.infinity)
        for (place, other) in labelled.enumerated() {
            let squared = Self.squaredDistance(features, row, other)
            nearest = min(nearest, squared)
            sum += weights[place] * exp(-squared / (2 * length * length))
        }
        return (min(max(sum, 0), Self.largestInterest), nearest.squareRoot())
    }

    /// The outlier score turned by what people found interesting: equation 2 of the paper, with its ε₁ = 0.1, ε₂ = 0.85 and
    /// α = 1.
    ///
    /// - Parameters:
    ///   - score: of the outlier, 0 or more.
    ///   - interest: expected, 0 … 5.
    ///   - distance: to the nearest labelled object, in units of `scale`.
    public static func combined(score: Double, interest: Double, distance: Double, scale: Double) -> Double {
        let utility = 0.1 + 0.85 * min(max(interest / largestInterest, 0), 1)
        let attenuation = scale > 0 ? exp(min(distance / scale, 50)) : 1
        return score * tanh(attenuation - 1 + atanh(utility))
    }

    private static func squaredDistance(_ features: MorphologyFeatures, _ first: Int, _ second: Int) -> Double {
        let width = features.width
        return features.values.withUnsafeBufferPointer { values in
            var sum: Float = 0
            for channel in 0..<width {
                let difference = values[first * width + channel] - values[second * width + channel]
                sum += difference * difference
            }
            return Double(sum)
        }
    }

    /// x of A x = b for a symmetric positive definite A, by Cholesky's decomposition.
    package static func solve(_ matrix: inout [Double], _ right: [Double]) -> [Double] {
        let n = right.count
        for j in 0..<n {
            for i in j..<n {
                var sum = matrix[i * n + j]
                for k in 0..<j { sum -= matrix[i * n + k] * matrix[j * n + k] }
                matrix[i * n + j] = i == j ? sum.squareRoot() : sum / matrix[j * n + j]
            }
        }
        var x = right
        for i in 0..<n {
            for k in 0..<i { x[i] -= matrix[i * n + k] * x[k] }
            x[i] /= matrix[i * n + i]
        }
        for i in (0..<n).reversed() {
            for k in (i + 1)..<n { x[i] -= matrix[k * n + i] * x[k] }
            x[i] /= matrix[i * n + i]
        }
        return x
    }
}
