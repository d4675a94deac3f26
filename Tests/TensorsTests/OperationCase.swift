import Tensors
import Testing

/// One operation with example inputs and its definition in double precision.
struct OperationCase: Sendable, CustomTestStringConvertible {
    var name: String
    /// Shapes of the inputs.
    var shapes: [[Int]]
    /// Values are drawn from the standard normal and mapped, for operations defined on part of the line.
    var domain: @Sendable (Double) -> Double = { $0 }
    /// Whether the case also runs with bfloat16 inputs.
    var inBFloat16 = true
    /// Inputs after this many are constants (labels, masks) without gradient.
    var differentiated = Int.max
    var operation: @Sendable ([Tensor]) -> Tensor
    var reference: @Sendable ([Dense]) -> Dense

    var testDescription: String { name }
}
