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

    /// `x · weightᵀ + bias` with products in the type of `x`, and by default the result too.
    public func callAsFunction(_ x: Tensor, output: DType? = nil) -> Tensor {
        x.linear(weight.cast(to: x.dtype), bias: bias, output: output)
    }

    /// The layer for `Tensor.dense`, with what stands around it.
    func layer(
        norm: LayerNormalization? = nil, activation: Activation = .none, scale: LayerScale? = nil
    ) -> DenseLayer {
        DenseLayer(
            norm: norm.map { DenseLayer.Norm(weight: $0.weight, bias: $0.bias, epsilon: $0.epsilon) }, weight: weight,
            bias: bias, activation: activation, factor: scale?.gamma)
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
