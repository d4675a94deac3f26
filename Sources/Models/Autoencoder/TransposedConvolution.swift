import Tensors

/// A transposed convolution of kernel 4 and stride 2 that doubles the resolution, with a ReLU behind it.
struct TransposedConvolution: Module {
    /// (inputs, outputs, 4, 4), as PyTorch stores it.
    var weight: Tensor
    /// (outputs)
    var bias: Tensor

    init(_ inputs: Int, _ outputs: Int, from source: ParameterSource) {
        // Four taps of each input channel meet in an output (He et al. 2015, arXiv 1502.01852).
        weight = source("weight", [inputs, outputs, 4, 4], .truncatedNormal((2 / Float(4 * inputs)).squareRoot()))
        bias = source("bias", [outputs], .zeros)
    }

    /// (B, inputs, H, W) to (B, outputs, 2H, 2W), in the type of x.
    func callAsFunction(_ x: Tensor) -> Tensor {
        x.convTransposed2d(weight.cast(to: x.dtype), bias: bias.cast(to: x.dtype), stride: 2, padding: 1).relu()
    }

    mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "weight", .weight), &weight)
        try body(Parameter(path + "bias", .bias), &bias)
    }
}
