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
