#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Ways to know the largest score of a row before all scores are there. The difference δ = true maximum − estimate is what
/// matters: exponentials relative to the estimate reach 2^δ.
public enum MaximumEstimator: String, Sendable, Codable, CaseIterable {
    /// The largest score with a key block's representation, whose channels are the block's entries of largest magnitude with
    /// their signs (VFA's m-initialisation, arXiv 2604.12798).
    case signedAbsMax
    /// The largest score with the mean key of a block.
    case blockMean
    /// The exact maximum over keys at regular distances.
    case sampledKeys
    /// The same, carried on to the expected maximum of all keys as if scores were normal, but by at most
    /// ``SampledScores/mostBeyond``: what the kernels use for int8.
    case expectedMaximum
    /// The same without that limit.
    case uncappedExpectedMaximum
    /// The exact maximum over the first group of keys, which holds the class token.
    case sink
    /// The exact maximum over the priority tile: sink, own and neighbouring keys.
    case priority
    /// The larger of ``signedAbsMax`` and ``priority``: VFA.
    case signedAbsMaxAndPriority
    /// The larger of ``blockMean`` and ``priority``.
    case blockMeanAndPriority
    /// The larger of ``sampledKeys`` and ``priority``.
    case sampledKeysAndPriority
    /// The larger of ``expectedMaximum`` and ``priority``.
    case expectedMaximumAndPriority
    /// The larger of ``uncappedExpectedMaximum`` and ``priority``.
    case uncappedExpectedMaximumAndPriority
}

/// The scores of a row with keys at regular distances.
package struct SampledScores {
    private let scores: [Float]
    private let keys: Int

    /// - Parameters:
    ///   - row: the scores with all keys.
    ///   - count: how many to look at.
    package init(_ row: some RandomAccessCollection<Float>, count: Int) {
        keys = row.count
        let count = min(count, row.count)
        let total = row.count
        scores = (0..<count).map { row[row.index(row.startIndex, offsetBy: (2 * $0 + 1) * total / (2 * count))] }
    }

    package var maximum: Float { scores.max() ?? -.infinity }

    /// How far above the largest score seen the kernels let the expected maximum lie, in powers of 2.
    package static let mostBeyond: Float = 1.5

    /// ``uncappedExpectedMaximum``, but no more than ``mostBeyond`` above the largest score seen: a maximum that is too high costs
    /// an 8-bit exponential bits that nothing gives back, one that is too low is found.
    package var expectedMaximum: Float { min(uncappedExpectedMaximum, maximum + Self.mostBeyond) }

    /// Mean plus deviation times the expected largest of so many normal numbers (extreme-value theory; Cramér 1946,
    /// section 28.6), and no less than the largest score seen.
    package var uncappedExpectedMaximum: Float {
        guard scores.count > 1 else { return maximum }
        let mean = scores.reduce(0, +) / Float(scores.count)
        let variance = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(scores.count)
        let root = (2 * log(Float(max(keys, 3)))).squareRoot()
        let expected = root + (2 * 0.5772157 - log(log(Float(max(keys, 3)))) - log(4 * Float.pi)) / (2 * root)
        return max(maximum, mean + variance.squareRoot() * expected)
    }
}

/// One vector for each block of consecutive keys.
package enum KeyRepresentation {
    case signedAbsMax, mean

    /// The representation of keys (count, width).
    func of(_ keys: ArraySlice<Float>, width: Int) -> [Float] {
        var result = [Float](repeating: 0, count: width)
        for (index, value) in keys.enumerated() {
            let channel = index % width
            switch self {
            case .signedAbsMax: if value.magnitude > result[channel].magnitude { result[channel] = value }
            case .mean: result[channel] += value
            }
        }
        if self == .mean {
            let factor = Float(width) / Float(keys.count)
            for channel in 0..<width { result[channel] *= factor }
        }
        return result
    }

    /// The representations of all blocks of a head's keys, (blocks, width).
    package func blocks(of head: AttentionHead, size: Int) -> [Float] {
        stride(from: 0, to: head.tokens, by: size).flatMap { start in
            of(head.k[(start * head.width)..<(min(start + size, head.tokens) * head.width)], width: head.width)
        }
    }
}

/// Largest value of each row of a (rows, columns) array.
func rowMaxima(_ values: [Float], columns: Int) -> [Float] {
    stride(from: 0, to: values.count, by: columns).map { values[$0..<($0 + columns)].max() ?? -.infinity }
}
