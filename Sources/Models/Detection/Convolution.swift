public import Tensors

/// A convolution with bias; its weights begin as He et al. 2015 (arXiv 1502.01852) advise for what a ReLU follows.
public struct Convolution: Module {
    /// (outputs, inputs, kernel, kernel)
    public var weight: Tensor
    /// (outputs)
    public var bias: Tensor
    public let stride: Int

    /// - Parameters:
    ///   - gain: factor on the initial weights.
    ///   - biases: initial ones, zero when nil.
    public init(
        _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1, gain: Float = 1, biases: [Float]? = nil,
        from source: ParameterSource
    ) {
        let deviation = gain * (2 / Float(inputs * kernel * kernel)).squareRoot()
        weight = source("weight", [outputs, inputs, kernel, kernel], .truncatedNormal(deviation))
        bias = source("bias", [outputs], biases.map { values in .values { values } } ?? .zeros)
        self.stride = stride
    }

    /// (B, inputs, H, W) to (B, outputs, H / stride, W / stride), zeros outside.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.conv2d(weight.cast(to: x.dtype), bias: bias.cast(to: x.dtype), stride: stride, padding: weight.shape[2] / 2)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "weight", .weight), &weight)
        try body(Parameter(path + "bias", .bias), &bias)
    }
}

/// Two convolutions around which the input passes: `relu(x + second(relu(first(x))))` (He et al. 2016, arXiv 1512.03385, without
/// normalisation: the second begins small).
public struct ResidualConvolutions: Module {
    public var first: Convolution
    public var second: Convolution

    public init(_ width: Int, from source: ParameterSource) {
        first = Convolution(width, width, from: source["conv1"])
        second = Convolution(width, width, gain: 0.2, from: source["conv2"])
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { (x + second(first(x).relu())).relu() }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try first.forEachParameter(at: path + "conv1.", body)
        try second.forEachParameter(at: path + "conv2.", body)
    }
}
