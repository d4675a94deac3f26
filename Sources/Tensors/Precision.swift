/// How the matrix products of a network are computed.
///
/// It names the arithmetic of the products, not the storage of a tensor (that is ``DType``): sums, norms and the residual
/// stream are float32 with each of them.
public enum Precision: String, Sendable, Codable, CaseIterable, CustomStringConvertible {
    case float32
    /// Operands rounded to bfloat16.
    case bfloat16
    /// Operands of dense layers as 8-bit integers: weights symmetric with a scale for each output channel, rounded once;
    /// activations symmetric with a scale for each token, found in every pass. What lies between the layers is bfloat16;
    /// attention multiplies queries and keys as 8-bit integers, probabilities and values in bfloat16.
    /// For inference only: there is no derivative. A processor without fast 8-bit products
    /// (``CPUBackend/hasInt8Products``) computes in bfloat16 or float32 instead.
    case int8

    /// From its name, or the short one: f32, bf16, i8.
    public init?(_ text: String) {
        switch text {
        case "f32": self = .float32
        case "bf16": self = .bfloat16
        case "i8": self = .int8
        default: self.init(rawValue: text)
        }
    }

    /// All spellings that ``init(_:)`` knows.
    public static let spellings = allCases.map(\.rawValue) + ["f32", "bf16", "i8"]

    public var description: String { rawValue }

    /// Type of the tensors between layers.
    public var activations: DType { self == .float32 ? .float32 : .bfloat16 }
}
