public import Tensors

/// How a network computes: the type of its products and the attention algorithm. The result is the same up to rounding.
public struct Execution: Sendable, Hashable {
    /// Type of the operands of matrix products and attention. Sums, norms and the residual stream are float32.
    public var precision: DType
    /// Which of the exact attention kernels runs.
    public var attention: AttentionVariant

    public init(precision: DType = .float32, attention: AttentionVariant = .vfa) {
        self.precision = precision
        self.attention = attention
    }
}

/// Multi-head self-attention: `proj(softmax(q kᵀ / √d) v)` with one product for queries, keys and values.
public struct SelfAttention: Module {
    public var qkv: Linear
    public var projection: Linear
    public let heads: Int

    public init(_ width: Int, heads: Int, qkvBias: Bool = true, from source: ParameterSource) {
        qkv = Linear(width, 3 * width, bias: qkvBias, from: source["qkv"])
        projection = Linear(width, width, from: source["proj"])
        self.heads = heads
    }

    /// `residual + scale · attention(x)` for x (B, N, width).
    public func callAsFunction(
        _ x: Tensor, scale: LayerScale?, residual: Tensor, attention: AttentionVariant
    ) -> Tensor {
        let mixed = qkv(x).attention(heads: heads, variant: attention)
        return LayerScale.add(mixed, through: projection, scale: scale, to: residual)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try qkv.forEachParameter(at: path + "qkv.", body)
        try projection.forEachParameter(at: path + "proj.", body)
    }
}

/// Two dense layers with a GELU between them.
public struct FeedForward: Module {
    public var up: Linear
    public var down: Linear

    public init(_ width: Int, hidden: Int, from source: ParameterSource) {
        up = Linear(width, hidden, from: source["fc1"])
        down = Linear(hidden, width, from: source["fc2"])
    }

    /// `residual + scale · down(gelu(up(x)))`
    public func callAsFunction(_ x: Tensor, scale: LayerScale?, residual: Tensor) -> Tensor {
        LayerScale.add(up(x, activation: .gelu), through: down, scale: scale, to: residual)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try up.forEachParameter(at: path + "fc1.", body)
        try down.forEachParameter(at: path + "fc2.", body)
    }
}

/// A learned factor for each channel of a residual branch (CaiT, arXiv 2103.17239).
public struct LayerScale: Module {
    /// (width)
    public var gamma: Tensor

    public init(_ width: Int, from source: ParameterSource) {
        gamma = source("gamma", [width], .values { [Float](repeating: 1e-5, count: width) })
    }

    /// `residual + scale · layer(x)`; without a scale the sum is fused into the product.
    static func add(_ x: Tensor, through layer: Linear, scale: LayerScale?, to residual: Tensor) -> Tensor {
        guard let scale else { return layer(x, residual: residual) }
        return residual + layer(x, output: residual.dtype) * scale.gamma.cast(to: residual.dtype)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "gamma", .scale), &gamma)
    }
}

/// A pre-norm transformer block (arXiv 2010.11929, eqs. 2 and 3).
///
///     x = x + attention(norm1(x))
///     x = x + feedForward(norm2(x))
public struct TransformerBlock: Module {
    public var norm1: LayerNormalization
    public var attention: SelfAttention
    public var scale1: LayerScale?
    public var norm2: LayerNormalization
    public var feedForward: FeedForward
    public var scale2: LayerScale?

    /// - Parameters:
    ///   - width: of the tokens; a multiple of `heads`.
    ///   - hidden: width inside the feed-forward part.
    public init(
        width: Int, heads: Int, hidden: Int, qkvBias: Bool = true, layerScale: Bool = false, epsilon: Float = 1e-6,
        from source: ParameterSource
    ) {
        norm1 = LayerNormalization(width, epsilon: epsilon, from: source["norm1"])
        attention = SelfAttention(width, heads: heads, qkvBias: qkvBias, from: source["attn"])
        scale1 = layerScale ? LayerScale(width, from: source["ls1"]) : nil
        norm2 = LayerNormalization(width, epsilon: epsilon, from: source["norm2"])
        feedForward = FeedForward(width, hidden: hidden, from: source["mlp"])
        scale2 = layerScale ? LayerScale(width, from: source["ls2"]) : nil
    }

    /// Tokens (B, N, width) to tokens of the same shape and type.
    public func callAsFunction(_ tokens: Tensor, _ execution: Execution) -> Tensor {
        let x = attention(
            norm1(tokens, output: execution.precision), scale: scale1, residual: tokens,
            attention: execution.attention)
        return feedForward(norm2(x, output: execution.precision), scale: scale2, residual: x)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try norm1.forEachParameter(at: path + "norm1.", body)
        try attention.forEachParameter(at: path + "attn.", body)
        try scale1?.forEachParameter(at: path + "ls1.", body)
        try norm2.forEachParameter(at: path + "norm2.", body)
        try feedForward.forEachParameter(at: path + "mlp.", body)
        try scale2?.forEachParameter(at: path + "ls2.", body)
    }
}
