/// Where the frozen maximum of a row comes from in the study of accuracy.
public enum FrozenSource: String, Sendable, Codable, CaseIterable {
    /// The true maximum, known from the start: the best that a fixed scale can do.
    case trueMaximum
    /// The priority tile alone, without m-initialisation.
    case priority
    /// m-initialisation and priority tile: VFA.
    case initialised
    /// The expected maximum from sampled keys, and the priority tile.
    case sampled
    /// None is frozen: the online softmax. Exponentials are relative to the largest score of their own block of keys, and what
    /// is summed over blocks is rescaled.
    case online

    /// Whether rows are computed in a format: ``ExponentialFormat/uint8Filled`` leaves no room for a maximum that is too low,
    /// and is the only one that gains by scaling each block for itself.
    package func isStudied(in format: ExponentialFormat) -> Bool {
        switch self {
        case .trueMaximum: true
        case .priority, .initialised, .sampled: format != .uint8Filled
        case .online: format == .uint8Filled
        }
    }
}

/// A strong key put into a block that the priority tile does not hold.
public enum NeedleKind: String, Sendable, Codable, CaseIterable {
    /// The needle alone; its block's representation sees it unless other keys have larger entries.
    case plain
    /// The next key of the block becomes −1.5 times the needle, so that the block's representation shows only that one.
    case hidden
}

/// A key aligned with one query, planted into a head.
package struct PlantedNeedle {
    /// The head with the needle.
    let head: AttentionHead
    let query: Int
    let place: Int

    /// - Parameters:
    ///   - query: the query whose maximum the needle becomes.
    ///   - place: which key is replaced (and the one after it, for a hidden needle).
    ///   - score: of the query with the needle, in base 2.
    package init(_ kind: NeedleKind, in head: AttentionHead, query: Int, place: Int, score: Float) {
        let width = head.width
        let vector = head.q[(query * width)..<((query + 1) * width)]
        let norm = vector.reduce(Float(0)) { $0 + $1 * $1 }
        var head = head
        for (channel, value) in vector.enumerated() {
            let entry = value * score / norm
            head.k[place * width + channel] = entry
            if kind == .hidden { head.k[(place + 1) * width + channel] = -1.5 * entry }
        }
        self.head = head
        self.query = query
        self.place = place
    }

    /// The scores of the query with all keys.
    package func scores() -> [Float] {
        (0..<head.tokens).map { Float(head.score(query, head.key($0))) }
    }

    /// m-initialisation: the query's largest score with the representations of blocks of `size` keys.
    package func initialisation(size: Int) -> Float {
        let width = head.width
        let representations = KeyRepresentation.signedAbsMax.blocks(of: head, size: size)
        return stride(from: 0, to: representations.count, by: width).map {
            Float(head.score(query, representations[$0..<($0 + width)]))
        }.max() ?? -.infinity
    }
}
