/// The element type of a tensor, known at run time.
///
/// A run-time type lets one model run in float32 and in bfloat16 without being compiled twice, and keeps mixed
/// precision (bfloat16 products, float32 sums) a matter of arguments.
public enum DType: String, Sendable, Codable, CaseIterable {
    /// IEEE 754 binary32.
    case float32
    /// The upper half of a binary32: 8 bits of exponent, 7 of fraction.
    case bfloat16
    /// Signed 32-bit integers, for row indices and class labels.
    case int32

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .float32, .int32: 4
        case .bfloat16: 2
        }
    }

    /// Whether arithmetic and derivatives are defined on this type.
    public var isFloatingPoint: Bool { self != .int32 }
}
