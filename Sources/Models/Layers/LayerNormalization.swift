public import Tensors

/// `(x − mean) / √(variance + ε) · weight + bias` over the last axis (arXiv 1607.06450).
public struct LayerNormalization: Module {
    /// (width)
    public var weight: Tensor
    /// (width)
    public var bias: Tensor
    public let epsilon: Float

    public init(_ width: Int, epsilon: Float, from source: ParameterSource) {
        weight = source("weight", [width], .ones)
        bias = source("bias", [width], .zeros)
        self.epsilon = epsilon
    }

    /// The result in the given type, by default that of `x`.
    public func callAsFunction(_ x: Tensor, output: DType? = nil) -> Tensor {
        x.layerNorm(weight: weight, bias: bias, epsilon: epsilon, output: output)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "weight", .scale), &weight)
        try body(Parameter(path + "bias", .bias), &bias)
    }
}
