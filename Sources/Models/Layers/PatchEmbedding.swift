public import Tensors

/// Cuts an image into square patches and maps each to a token: a convolution whose stride is its kernel.
public struct PatchEmbedding: Module {
    /// (width, channels, patch, patch), as a convolution stores it.
    public var weight: Tensor
    /// (width)
    public var bias: Tensor
    public let patchSize: Int

    public init(channels: Int, patchSize: Int, width: Int, from source: ParameterSource) {
        weight = source["proj"]("weight", [width, channels, patchSize, patchSize], .glorotUniform)
        bias = source["proj"]("bias", [width], .zeros)
        self.patchSize = patchSize
    }

    /// Images (B, C, H, W) to tokens (B, (H/p)·(W/p), width) in float32, row by row.
    public func callAsFunction(_ images: Tensor, _ execution: Execution) -> Tensor {
        project(images.cast(to: execution.precision.activations).patchify(patchSize))
    }

    /// Patches (B, K, C·p·p), as `Tensor.patchify` orders them, to tokens (B, K, width) in float32. The product is the
    /// same as the convolution's, and a masked autoencoder needs it for some patches only. It is in the precision of the
    /// patches: pixels as 8-bit integers would save a hundredth of the time.
    public func project(_ patches: Tensor) -> Tensor {
        let layer = DenseLayer(weight: weight.reshape([weight.shape[0], -1]), bias: bias)
        return patches.dense([layer], precision: patches.dtype == .float32 ? .float32 : .bfloat16, output: .float32)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "proj.weight", .weight), &weight)
        try body(Parameter(path + "proj.bias", .bias), &bias)
    }
}
