/// Which attention algorithm runs. All but ``vsa(threshold:tolerance:)`` give the exact softmax attention, up to rounding.
///
/// As text a variant is its name; VSA's has its threshold after a colon, and a tolerance after another: `vfa`,
/// `vsa:0.001`, `vsa:0.001:0.01`.
public enum AttentionVariant: Sendable, Hashable {
    /// What measures fastest for the shape and the precision among the exact ones: VFA, unless online softmax is faster.
    case automatic
    /// All scores at once.
    case naive
    /// Tiled attention with the online softmax (FlashAttention-2, arXiv 2307.08691).
    case fa2
    /// The online softmax that rescales only where the maximum grew by much, as FlashAttention-4 does.
    case fa4
    /// Vector Relieved Flash Attention (arXiv 2604.12798): the maximum frozen after the priority tiles.
    case vfa
    /// VFA without the blocks of keys whose probabilities, relative to the row's frozen maximum, are all below `threshold`
    /// (BLASST, arXiv 2512.12087). Rows whose certificate, the largest change of an output as a share of its channel's range of
    /// values, is above `tolerance` are computed again in full; 1 computes none again.
    case vsa(threshold: Float, tolerance: Float = 1)

    /// The variants that give the exact result.
    public static let exact: [AttentionVariant] = [.automatic, .naive, .fa2, .fa4, .vfa]
}

extension AttentionVariant: LosslessStringConvertible {
    /// - Returns: nil unless the text is a name, for `vsa` with a threshold and perhaps a tolerance between 0 and 1.
    public init?(_ text: String) {
        switch text {
        case "automatic": self = .automatic
        case "naive": self = .naive
        case "fa2": self = .fa2
        case "fa4": self = .fa4
        case "vfa": self = .vfa
        default:
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let numbers = parts.dropFirst().map { Float($0) ?? .nan }
            guard parts[0] == "vsa", (1...2).contains(numbers.count), numbers.allSatisfy({ $0 > 0 && $0 < 1 }) else {
                return nil
            }
            self = .vsa(threshold: numbers[0], tolerance: numbers.count == 2 ? numbers[1] : 1)
        }
    }

    public var description: String {
        switch self {
        case .automatic: "automatic"
        case .naive: "naive"
        case .fa2: "fa2"
        case .fa4: "fa4"
        case .vfa: "vfa"
        case .vsa(let threshold, let tolerance): "vsa:\(threshold)" + (tolerance < 1 ? ":\(tolerance)" : "")
        }
    }
}
