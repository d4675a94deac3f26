/// Which attention algorithm runs. All but ``vsa(threshold:)`` give the exact softmax attention, up to rounding.
///
/// As text a variant is its name; VSA's has its threshold after a colon: `vfa`, `vsa:0.001`.
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
    /// (BLASST, arXiv 2512.12087).
    case vsa(threshold: Float)

    /// The variants that give the exact result.
    public static let exact: [AttentionVariant] = [.automatic, .naive, .fa2, .fa4, .vfa]
}

extension AttentionVariant: LosslessStringConvertible {
    /// - Returns: nil unless the text is a name, for `vsa` with a threshold between 0 and 1.
    public init?(_ text: String) {
        switch text {
        case "automatic": self = .automatic
        case "naive": self = .naive
        case "fa2": self = .fa2
        case "fa4": self = .fa4
        case "vfa": self = .vfa
        default:
            guard text.hasPrefix("vsa:"), let threshold = Float(text.dropFirst(4)), threshold > 0, threshold < 1 else {
                return nil
            }
            self = .vsa(threshold: threshold)
        }
    }

    public var description: String {
        switch self {
        case .automatic: "automatic"
        case .naive: "naive"
        case .fa2: "fa2"
        case .fa4: "fa4"
        case .vfa: "vfa"
        case .vsa(let threshold): "vsa:\(threshold)"
        }
    }
}
