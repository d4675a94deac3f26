public import Tensors

/// A convolution with bias; its weights begin as He et al. 2015 (arXiv 1502.01852) advise for what a ReLU follows.
public struct Convolution: Module {
    /// (outputs, inputs, kernel, kernel)
    public var weight: Tensor
    /// (outputs)
    public var bias: Tensor
    public let stride: Int
    private let padding: Int

    /// - Parameters:
    ///   - padding: zeros around the image; half of the kernel when nil, which keeps the size at stride 1.
    ///   - gain: factor on the initial weights; 0 makes them zero.
    ///   - biases: initial ones, zero when nil.
    public init(
        _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1, padding: Int? = nil, gain: Float = 1,
        biases: [Float]? = nil, from source: ParameterSource
    ) {
        let deviation = gain * (2 / Float(inputs * kernel * kernel)).squareRoot()
        weight = source("weight", [outputs, inputs, kernel, kernel], gain == 0 ? .zeros : .truncatedNormal(deviation))
        bias = source("bias", [outputs], biases.map { values in .values { values } } ?? .zeros)
        self.stride = stride
        self.padding = padding ?? kernel / 2
    }

    /// (B, inputs, H, W) to (B, outputs, H / stride, W / stride) in the type of x, zeros outside.
    public func callAsFunction(_ x: Tensor, activation: Activation = .none) -> Tensor {
        x.conv2d(
            weight.cast(to: x.dtype), bias: bias.cast(to: x.dtype), stride: stride, padding: padding,
            activation: activation)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "weight", .weight), &weight)
        try body(Parameter(path + "bias", .bias), &bias)
    }
}

/// Two convolutions around which the input passes, `x + second(relu(first(x)))`, with another ReLU on the sum or without it (He et
/// al. 2016, arXiv 1512.03385, without normalisation: the second begins small).
public struct ResidualConvolutions: Module {
    public var first: Convolution
    public var second: Convolution
    private let rectifies: Bool

    /// - Parameters:
    ///   - gain: factor on the second convolution's initial weights.
    ///   - rectifies: whether the sum passes a ReLU.
    public init(_ width: Int, gain: Float = 0.2, rectifies: Bool = true, from source: ParameterSource) {
        first = Convolution(width, width, from: source["conv1"])
        second = Convolution(width, width, gain: gain, from: source["conv2"])
        self.rectifies = rectifies
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let sum = x + second(first(x, activation: .relu))
        return rectifies ? sum.relu() : sum
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try first.forEachParameter(at: path + "conv1.", body)
        try second.forEachParameter(at: path + "conv2.", body)
    }
}
