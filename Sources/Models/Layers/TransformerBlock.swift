public import Kernels
public import Tensors

/// How a network computes: the arithmetic of its products and the attention algorithm. The result is the same up to rounding,
/// which ``Precision`` says, and what an inexact attention variant leaves out.
public struct Execution: Sendable, Hashable {
    /// Of the products of dense layers and attention. Sums, norms and the residual stream are float32.
    public var precision: Precision
    /// Which of the attention kernels runs.
    public var attention: AttentionVariant
    /// In which order patches pass through the network. Tokens are returned row by row all the same.
    public var order: GridOrder

    public init(
        precision: Precision = .float32, attention: AttentionVariant = .automatic, order: GridOrder = .rows
    ) {
        self.precision = precision
        self.attention = attention
        self.order = order
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

    /// `x + scale · attention(norm(x))` for x (B, N, width), of the first `kept` tokens or all.
    public func callAsFunction(
        _ x: Tensor, norm: LayerNormalization, scale: LayerScale?, kept: Int? = nil, layout: TokenLayout,
        _ execution: Execution
    ) -> Tensor {
        let precision = execution.precision
        let mixed = x.dense([qkv.layer(norm: norm)], precision: precision, output: precision.activations)
            .attention(heads: heads, queries: kept, variant: execution.attention, precision: precision, layout: layout)
        return mixed.dense(
            [projection.layer(scale: scale)], residual: kept.map { x.slice(axis: 1, 0..<$0) } ?? x,
            precision: precision)
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

    /// `x + scale · down(gelu(up(norm(x))))`
    public func callAsFunction(
        _ x: Tensor, norm: LayerNormalization, scale: LayerScale?, _ execution: Execution
    ) -> Tensor {
        x.dense(
            [up.layer(norm: norm, activation: .gelu), down.layer(scale: scale)], residual: x,
            precision: execution.precision)
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
    ///
    /// - Parameters:
    ///   - kept: return only the first tokens, so many of them: attention and what follows it are computed for no others.
    ///   - layout: what the tokens are.
    public func callAsFunction(
        _ tokens: Tensor, kept: Int? = nil, layout: TokenLayout = TokenLayout(), _ execution: Execution
    ) -> Tensor {
        let x = attention(tokens, norm: norm1, scale: scale1, kept: kept, layout: layout, execution)
        return feedForward(x, norm: norm2, scale: scale2, execution)
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
