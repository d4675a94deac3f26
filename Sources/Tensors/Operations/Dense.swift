/// A dense layer with what stands around it in a network: `factor · activation(norm(x) · weightᵀ + bias)`.
public struct DenseLayer: Sendable {
    /// Layer norm over the last axis (arXiv 1607.06450).
    public struct Norm: Sendable {
        /// (K) float32
        public var weight: Tensor
        /// (K) float32
        public var bias: Tensor
        public var epsilon: Float

        public init(weight: Tensor, bias: Tensor, epsilon: Float) {
            self.weight = weight
            self.bias = bias
            self.epsilon = epsilon
        }
    }

    /// Of the input, where given.
    public var norm: Norm?
    /// (N, K), as PyTorch stores it.
    public var weight: Tensor
    /// (N) float32, or nil.
    public var bias: Tensor?
    public var activation: Activation
    /// (N) float32: a factor for each channel of the result (layer scale, arXiv 2103.17239), or nil.
    public var factor: Tensor?

    public init(
        norm: Norm? = nil, weight: Tensor, bias: Tensor? = nil, activation: Activation = .none, factor: Tensor? = nil
    ) {
        self.norm = norm
        self.weight = weight
        self.bias = bias
        self.activation = activation
        self.factor = factor
    }

    var tensors: [Tensor] {
        [weight] + [norm?.weight, norm?.bias, bias, factor].compactMap { $0 }
    }
}

extension Tensor {
    /// `residual + layers(self)`: dense layers one after the other, with norms, activations, scales and the residual in one
    /// operation.
    ///
    /// Without a tape the backend fuses all of it. On a tape it is a chain of operations that each have a derivative.
    /// - Parameters:
    ///   - residual: (…, N), added to the last layer's result.
    ///   - precision: of the products. ``Precision/int8`` has no derivative.
    ///   - output: type of the result; by default the residual's, else ``Precision/activations``.
    /// - Returns: (…, N) for `self` (…, K).
    public func dense(
        _ layers: [DenseLayer], residual: Tensor? = nil, precision: Precision, output: DType? = nil
    ) -> Tensor {
        require(!layers.isEmpty && rank >= 1, "dense", expected: "layers and an input with an axis", got: "\(shape)")
        var width = shape[rank - 1]
        for layer in layers {
            require(
                layer.weight.rank == 2 && layer.weight.shape[1] == width && layer.weight.count > 0, "dense",
                expected: "a weight (N, \(width)) with elements",
                got: "\(layer.weight.shape)")
            for parameter in [layer.norm?.weight, layer.norm?.bias].compactMap({ $0 }) {
                require(
                    parameter.shape == [width] && parameter.dtype == .float32, "dense",
                    expected: "a float32 norm [\(width)]", got: "\(parameter.dtype.rawValue) \(parameter.shape)")
            }
            width = layer.weight.shape[0]
            for parameter in [layer.bias, layer.factor].compactMap({ $0 }) {
                require(
                    parameter.shape == [width] && parameter.dtype == .float32, "dense",
                    expected: "a float32 bias or factor [\(width)]",
                    got: "\(parameter.dtype.rawValue) \(parameter.shape)")
            }
        }
        let resultShape = Array(shape.dropLast()) + [width]
        if let residual {
            require(
                residual.shape == resultShape, "dense", expected: "residual \(resultShape)", got: "\(residual.shape)")
        }
        let type = output ?? residual?.dtype ?? precision.activations
        let recording = ([self] + (residual.map { [$0] } ?? []) + layers.flatMap(\.tensors)).contains(where: \.isOnTape)
        guard recording else {
            let result = Tensor.uninitialized(shape: resultShape, dtype: type, on: backend)
            backend.dense(layers, self, residual: residual, precision: precision, into: result)
            return result
        }
        require(precision != .int8, "dense", expected: "a precision with a derivative", got: "int8 on a tape")
        if backend.recordsDense(layers, self, precision: precision) {
            let result = Tensor.uninitialized(shape: resultShape, dtype: type, on: backend)
            return recordDense(layers, residual: residual, result)
        }
        var x = self
        for (index, layer) in layers.enumerated() {
            let last = index == layers.count - 1
            x = x.applying(
                layer, precision.activations, residual: last ? residual : nil,
                output: last ? type : precision.activations)
        }
        return x
    }

    /// One layer as operations that have derivatives.
    private func applying(_ layer: DenseLayer, _ type: DType, residual: Tensor?, output: DType) -> Tensor {
        let x =
            layer.norm.map { layerNorm(weight: $0.weight, bias: $0.bias, epsilon: $0.epsilon, output: type) }
            ?? cast(to: type)
        let weight = layer.weight.cast(to: type)
        guard let factor = layer.factor else {
            return x.linear(
                weight, bias: layer.bias, activation: layer.activation, residual: residual, output: output)
        }
        let branch = x.linear(weight, bias: layer.bias, activation: layer.activation, output: output)
        let scaled = branch * factor.cast(to: output)
        return residual.map { $0 + scaled } ?? scaled
    }
}
