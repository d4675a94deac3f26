public import Tensors

/// A dense layer: `x · weightᵀ + bias`.
public struct Linear: Module {
    /// (outputs, inputs)
    public var weight: Tensor
    /// (outputs), or nil.
    public var bias: Tensor?

    public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, from source: ParameterSource) {
        weight = source("weight", [outputs, inputs], .glorotUniform)
        self.bias = bias ? source("bias", [outputs], .zeros) : nil
    }

    /// `activation(x · weightᵀ + bias) + residual` in the type of `x`; see `Tensor.linear`.
    public func callAsFunction(
        _ x: Tensor, activation: Activation = .none, residual: Tensor? = nil, output: DType? = nil
    ) -> Tensor {
        x.linear(weight.cast(to: x.dtype), bias: bias, activation: activation, residual: residual, output: output)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "weight", .weight), &weight)
        if var tensor = bias {
            try body(Parameter(path + "bias", .bias), &tensor)
            bias = tensor
        }
    }
}
