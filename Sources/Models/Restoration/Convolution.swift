public import Tensors

/// A two-dimensional convolution with bias, whose padding keeps the size at stride 1.
public struct Convolution: Module {
    /// (outputs, inputs, kernel, kernel)
    public var weight: Tensor
    /// (outputs)
    public var bias: Tensor
    let stride: Int

    /// - Parameter initial: of the weight; zeros make a residual branch begin as nothing.
    public init(
        _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1,
        initial: ParameterSource.Initial = .glorotUniform, from source: ParameterSource
    ) {
        weight = source("weight", [outputs, inputs, kernel, kernel], initial)
        bias = source("bias", [outputs], .zeros)
        self.stride = stride
    }

    /// (B, inputs, H, W) to (B, outputs, H / stride, W / stride), in the type of `x`.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.conv2d(
            weight.cast(to: x.dtype), bias: bias, stride: stride, padding: stride == 1 ? weight.shape[2] / 2 : 0)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "weight", .weight), &weight)
        try body(Parameter(path + "bias", .bias), &bias)
    }
}

/// `x + conv(relu(conv(x)))` (arXiv 1512.03385, without normalisation). The second convolution begins at zero.
public struct ResidualConvolutions: Module {
    public var first: Convolution
    public var second: Convolution

    public init(_ width: Int, from source: ParameterSource) {
        first = Convolution(width, width, from: source["first"])
        second = Convolution(width, width, initial: .zeros, from: source["second"])
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { x + second(first(x).relu()) }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try first.forEachParameter(at: path + "first.", body)
        try second.forEachParameter(at: path + "second.", body)
    }
}
