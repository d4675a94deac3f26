import Tensors

/// Attention of a convolutional network to channels, then to places (convolutional block attention module, Woo et al. 2018,
/// arXiv 1807.06521).
///
///     x = x · σ(mlp(mean over places) + mlp(maximum over places))          eq. 2
///     x = x · σ(convolution 7 × 7 of (mean over channels, maximum over channels))   eq. 3
struct ConvolutionalAttention: Module {
    /// The layers of the network that both pooled vectors pass.
    var squeeze: Linear
    var excite: Linear
    var spatial: Convolution

    /// Channels inside the small network are this many times fewer.
    static let reduction = 8

    init(_ width: Int, from source: ParameterSource) {
        let inner = max(4, width / Self.reduction)
        squeeze = Linear(width, inner, from: source["squeeze"])
        excite = Linear(inner, width, from: source["excite"])
        // Gates begin nearly open: shut halfway at each of the layers, the signal would hardly reach the latent vector.
        excite.bias = source["excite"]("bias", [width], .values { [Float](repeating: 1, count: width) })
        spatial = Convolution(2, 1, kernel: 7, gain: 0.5, biases: [2], from: source["spatial"])
    }

    /// - Parameter x: (B, C, H, W)
    /// - Returns: x weighted, and the weights of the places, (B, 1, H, W).
    func callAsFunction(_ x: Tensor) -> (weighted: Tensor, places: Tensor) {
        let (batch, width) = (x.shape[0], x.shape[1])
        let pooled = Tensor.concat([x.mean(axes: [2, 3]), x.max(axes: [2, 3])], axis: 0)
        let answers = excite(squeeze(pooled).relu()).reshape([2, batch, width, 1, 1])
        let channels = answers.sum(axes: [0]).sigmoid()
        let chosen = x * channels
        let summary = Tensor.concat(
            [chosen.mean(axes: [1], keepingAxes: true), chosen.max(axes: [1], keepingAxes: true)], axis: 1)
        let places = spatial(summary).sigmoid()
        return (chosen * places, places)
    }

    mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try squeeze.forEachParameter(at: path + "squeeze.", body)
        try excite.forEachParameter(at: path + "excite.", body)
        try spatial.forEachParameter(at: path + "spatial.", body)
    }
}
