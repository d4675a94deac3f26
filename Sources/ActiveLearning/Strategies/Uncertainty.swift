import Foundation

/// How unsure a model is of an object, from the class probabilities of the members of an ensemble. Larger is less sure.
public enum Uncertainty: String, Sendable, CaseIterable {
    /// Entropy of the mean probabilities, nats.
    case entropy
    /// 1 minus the difference of the two largest mean probabilities.
    case margin
    /// What the members would tell each other: entropy of the mean minus mean of the entropies, nats (Houlsby et al. 2011,
    /// arXiv 1112.5745; over an ensemble as in Lakshminarayanan et al. 2017, arXiv 1612.01474).
    case bald

    /// - Parameter members: the probabilities of each member, which sum to 1.
    public func value(_ members: [[Double]]) -> Double {
        let mean = Self.mean(members)
        switch self {
        case .entropy: return Self.entropy(mean)
        case .margin:
            let sorted = mean.sorted(by: >)
            return sorted.count > 1 ? 1 - (sorted[0] - sorted[1]) : 0
        case .bald:
            let expected = members.reduce(0) { $0 + Self.entropy($1) } / Double(max(1, members.count))
            return max(0, Self.entropy(mean) - expected)
        }
    }

    /// Mean over the members.
    public static func mean(_ members: [[Double]]) -> [Double] {
        guard let first = members.first else { return [] }
        return first.indices.map { place in members.reduce(0) { $0 + $1[place] } / Double(members.count) }
    }

    static func entropy(_ probabilities: [Double]) -> Double {
        -probabilities.reduce(0) { $1 > 0 ? $0 + $1 * log($1) : $0 }
    }
}
