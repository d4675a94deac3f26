/// Where tensors live and what computes on them.
///
/// A backend allocates storage, moves bytes between it and the host, and offers one method per primitive. The
/// operations on ``Tensor`` check shapes, allocate the results through the backend, call primitives and record
/// derivatives; they never touch memory themselves. So a backend for another device implements this protocol and
/// nothing else changes.
///
/// A primitive trusts its arguments: shapes and types were checked by the operation. Results are passed as `into`
/// and overwritten entirely unless the primitive says otherwise. A backend may be used by several threads at once.
public protocol Backend: AnyObject, Sendable {
    /// A short name for messages, such as `cpu`.
    var name: String { get }
    /// Where time is spent, by kind of operation; does nothing until enabled.
    var profiler: Profiler { get }

    // MARK: - Memory

    /// Memory for at least `byteCount` bytes, contents undefined, aligned for any vector instruction.
    func allocate(byteCount: Int) -> Storage
    /// Copies bytes of the host to the beginning of a storage.
    func upload(_ bytes: UnsafeRawBufferPointer, to storage: Storage)
    /// Copies the beginning of a storage to memory of the host, when everything queued before is done.
    func download(_ storage: Storage, into bytes: UnsafeMutableRawBufferPointer)
    /// Bytes of storage now held by tensors.
    var liveByteCount: Int { get }

    // MARK: - Element-wise

    /// Sets all elements.
    func fill(_ out: Tensor, with value: Float)
    /// Copies elements, converting between float32, bfloat16 (round to nearest even) and int32.
    func convert(_ x: Tensor, into out: Tensor)
    /// `out = scale · x + offset`.
    func affine(_ x: Tensor, scale: Float, offset: Float, into out: Tensor)
    /// `out += scale · x` (float32).
    func accumulate(_ x: Tensor, scale: Float, into out: Tensor)
    /// `out = function(x)`.
    func unary(_ function: UnaryFunction, _ x: Tensor, into out: Tensor)
    /// `out = gradient · function'(x)`.
    func unaryGradient(_ function: UnaryFunction, _ x: Tensor, gradient: Tensor, into out: Tensor)
    /// `out = a ∘ b`; both broadcast to the shape of `out`.
    func binary(_ function: BinaryFunction, _ a: Tensor, _ b: Tensor, into out: Tensor)
    /// Sum, mean or maximum over the axes that have length 1 in `out` and not in `x`; both have the same rank.
    func reduce(_ reduction: Reduction, _ x: Tensor, into out: Tensor)

    // MARK: - Products

    /// `out = activation(x · weightᵀ + bias) + residual`, x (…, K), weight (N, K), bias (N), residual and out (…, N).
    func linear(
        _ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, residual: Tensor?, into out: Tensor)
    /// `out = residual + layers(x)` without a derivative: x (…, K), residual and out (…, N) of any floating-point types. The
    /// layers run on blocks of rows, so that what lies between them does not leave the cache.
    func dense(_ layers: [DenseLayer], _ x: Tensor, residual: Tensor?, precision: Precision, into out: Tensor)
    /// Whether ``keepingDense(_:_:residual:into:)`` and ``denseGradient(_:_:kept:gradient:adding:needs:)`` know these layers; others
    /// are recorded as operations of their own.
    func recordsDense(_ layers: [DenseLayer], _ x: Tensor, precision: Precision) -> Bool
    /// ``dense(_:_:residual:precision:into:)`` in bfloat16, which keeps what its gradient needs.
    func keepingDense(_ layers: [DenseLayer], _ x: Tensor, residual: Tensor?, into out: Tensor) -> [DenseActivations]
    /// Gradients of ``keepingDense(_:_:residual:into:)``. With `adding` the gradient of x begins with that of the result: where x was
    /// the residual too.
    func denseGradient(
        _ layers: [DenseLayer], _ x: Tensor, kept: [DenseActivations], gradient: Tensor, adding: Bool,
        needs: DenseNeeds
    ) -> DenseGradients
    /// Makes the forms of a weight again that products asked for before its values changed.
    func refreshPackedCopies(_ x: Tensor)
    /// Gradients of ``linear(_:weight:bias:activation:residual:into:)`` without activation with respect to weight (N, K)
    /// and bias (N).
    func linearWeightGradient(_ x: Tensor, gradient: Tensor, weight: Tensor, bias: Tensor?)
    /// `out[b] = op(a[b]) · op(b[b])`; leading axes are equal, or missing in `b`.
    func matmul(_ a: Tensor, transposingA: Bool, _ b: Tensor, transposingB: Bool, into out: Tensor)
    /// Cross-correlation: x (B, C, H, W), weight (O, C, kh, kw), bias (O), out (B, O, H', W'); with `rectified` its positive part.
    func convolution(
        _ x: Tensor, weight: Tensor, bias: Tensor?, geometry: ConvolutionGeometry, rectified: Bool, into out: Tensor)
    /// The adjoint of ``convolution(_:weight:bias:geometry:rectified:into:)`` in x; also the transposed convolution.
    func convolutionInputGradient(
        _ gradient: Tensor, weight: Tensor, geometry: ConvolutionGeometry, into out: Tensor)
    /// Gradients of a convolution with respect to its weight.
    func convolutionWeightGradient(
        _ x: Tensor, gradient: Tensor, geometry: ConvolutionGeometry, into weight: Tensor)

    // MARK: - Attention

    /// Scaled dot-product attention of the first Q tokens of a fused (B, N, 3, H, d) buffer; out (B, Q, H·d). `logSumExp`
    /// (B, H, Q) float32 is filled where given, for the backward pass. `precision` is that of the products; at least that of the buffer unless
    /// it is int8.
    func attention(
        _ qkv: Tensor, shape: AttentionShape, variant: AttentionVariant, precision: Precision, into out: Tensor,
        logSumExp: Tensor?)
    /// Gradient of ``attention(_:shape:variant:precision:into:logSumExp:)`` with respect to the fused buffer.
    func attentionGradient(
        _ qkv: Tensor, shape: AttentionShape, out: Tensor, logSumExp: Tensor, gradient: Tensor, into qkvGradient: Tensor
    )
    /// What the attention kernels did since the counters were last reset.
    var attentionCounters: AttentionCounters { get }
    /// Sets all attention counters to zero.
    func resetAttentionCounters()

    // MARK: - Normalisation

    /// `out = (x − mean) / sqrt(variance + epsilon) · weight + bias` over the last axis. `statistics` (2, rows) float32
    /// receives mean and 1/sqrt(variance + epsilon) where given.
    func layerNorm(_ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float, into out: Tensor, statistics: Tensor?)
    /// Gradients of layer norm with respect to x (always), weight and bias (where given).
    func layerNormGradient(
        _ x: Tensor, weight: Tensor?, statistics: Tensor, gradient: Tensor, into xGradient: Tensor,
        weightGradient: Tensor?, biasGradient: Tensor?)
    /// Softmax or its logarithm over the last axis.
    func softmax(_ x: Tensor, logarithmic: Bool, into out: Tensor)
    /// Gradient of ``softmax(_:logarithmic:into:)`` from its result `y`.
    func softmaxGradient(_ y: Tensor, gradient: Tensor, logarithmic: Bool, into out: Tensor)

    // MARK: - Layout

    /// `out = x` with axes reordered: axis i of `out` is axis `axes[i]` of `x`.
    func permute(_ x: Tensor, axes: [Int], into out: Tensor)
    /// Copies a box of `x` that begins at `from` to the box of `out` that begins at `to`; `extent` is its size.
    func copyBox(_ x: Tensor, from: [Int], into out: Tensor, at to: [Int], extent: [Int])
    /// `out[g, k, :] = x[g, indices[g, k], :]` for x (G, R, W), indices (G, K), out (G, K, W).
    func gather(_ x: Tensor, indices: Tensor, into out: Tensor)
    /// `out[g, indices[g, k], :] += x[g, k, :]`; `out` is not cleared first.
    func scatterAdd(_ x: Tensor, indices: Tensor, into out: Tensor)

    // MARK: - Images

    /// Pooling of x (B, C, H, W). Cells outside the image count for nothing.
    func pool(_ pooling: Pooling, _ x: Tensor, geometry: ConvolutionGeometry, into out: Tensor)
    /// Gradient of ``pool(_:_:geometry:into:)``.
    func poolGradient(
        _ pooling: Pooling, _ x: Tensor, gradient: Tensor, geometry: ConvolutionGeometry, into out: Tensor)
    /// Resizes the last two axes.
    func resize(_ x: Tensor, mode: ResizeMode, into out: Tensor)
    /// The adjoint of ``resize(_:mode:into:)``.
    func resizeGradient(_ gradient: Tensor, mode: ResizeMode, into out: Tensor)

    // MARK: - Random numbers

    /// Fills a float32 tensor with the stream of ``RandomNumbers`` that begins at a key and counter.
    func random(_ distribution: RandomDistribution, key: UInt64, stream: UInt64, into out: Tensor)

    // MARK: - Optimisation

    /// One decoupled-weight-decay Adam step, in place (all float32, same shape), of the elements in a range.
    func adamW(
        parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep,
        range: Range<Int>)
    /// Sum of the squares of the elements in a range, in double precision.
    func sumOfSquares(_ x: Tensor, range: Range<Int>) -> Double
    /// `out += parts`, one after the other, for the elements in a range (all float32, same shape).
    func accumulate(_ parts: [Tensor], range: Range<Int>, into out: Tensor)
}

extension Backend {
    /// One decoupled-weight-decay Adam step of all elements.
    public func adamW(
        parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep
    ) {
        adamW(
            parameter: parameter, gradient: gradient, firstMoment: firstMoment, secondMoment: secondMoment, step: step,
            range: 0..<parameter.count)
    }

    /// Sum of the squares of all elements, in double precision.
    public func sumOfSquares(_ x: Tensor) -> Double { sumOfSquares(x, range: 0..<x.count) }
}

/// Functions of one variable that backends know, with their derivatives.
public enum UnaryFunction: Int, Sendable, CaseIterable {
    case gelu, relu, sigmoid, softplus, tanh, exp, log, sqrt, square, abs, reciprocal, logGamma, huber, isZero
}

/// Functions of two variables that backends know.
public enum BinaryFunction: Int, Sendable, CaseIterable {
    case add, subtract, multiply, divide, maximum, minimum
}

/// What a reduction computes. The reduced axes have length 1 in its result.
public enum Reduction: Int, Sendable {
    case sum, mean, maximum
}

/// An activation fused into a product.
public enum Activation: Int, Sendable {
    case none, gelu, relu
}

/// Pooling by the mean of the cells inside the image, or their maximum.
public enum Pooling: Int, Sendable {
    case average, maximum
}

/// How values between pixels are found. Pixel centres are at (i + 0.5) / size (`align_corners = false`).
public enum ResizeMode: Int, Sendable {
    /// The pixel that contains the point.
    case nearest
    /// Linear in each axis, the edge repeated.
    case bilinear
    /// Cubic convolution with a = −0.75 (as PyTorch, without antialiasing), the edge repeated.
    case bicubic
}

/// Kernel, stride and padding of a convolution or pooling.
public struct ConvolutionGeometry: Sendable, Hashable {
    /// Height and width of the kernel.
    public var kernel: (height: Int, width: Int) { (kernelHeight, kernelWidth) }
    public var kernelHeight: Int
    public var kernelWidth: Int
    /// Step between outputs, the same in both axes.
    public var stride: Int
    /// Zeros added on each side.
    public var padding: Int

    public init(kernelHeight: Int, kernelWidth: Int, stride: Int, padding: Int) {
        self.kernelHeight = kernelHeight
        self.kernelWidth = kernelWidth
        self.stride = stride
        self.padding = padding
    }

    /// Output size along an axis of the given length and kernel.
    public func outputLength(_ length: Int, kernel: Int) -> Int { (length + 2 * padding - kernel) / stride + 1 }
}

/// Sizes of an attention over a fused buffer of queries, keys and values.
public struct AttentionShape: Sendable, Hashable {
    public var batch: Int
    /// Tokens in the buffer: all are keys.
    public var tokens: Int
    /// The first of the tokens, those whose result is wanted; all of them for a derivative.
    public var queries: Int
    public var heads: Int
    /// Width of a head.
    public var headWidth: Int
    /// Factor on the scores, usually 1/sqrt(headWidth).
    public var scale: Float
    /// What the tokens are.
    public var layout: TokenLayout

    public init(
        batch: Int, tokens: Int, queries: Int? = nil, heads: Int, headWidth: Int, scale: Float,
        layout: TokenLayout = TokenLayout()
    ) {
        self.batch = batch
        self.tokens = tokens
        self.queries = queries ?? tokens
        self.heads = heads
        self.headWidth = headWidth
        self.scale = scale
        self.layout = layout
    }
}

/// What the attention kernels did.
public struct AttentionCounters: Sendable, Equatable {
    /// Tiles for which row maxima were computed.
    public var rowMaximumTiles = 0
    /// Rescales of the accumulator.
    public var rescales = 0
    /// Rows that failed the guard and were redone with the online softmax.
    public var fallbackRows = 0

    public init(rowMaximumTiles: Int = 0, rescales: Int = 0, fallbackRows: Int = 0) {
        self.rowMaximumTiles = rowMaximumTiles
        self.rescales = rescales
        self.fallbackRows = fallbackRows
    }
}

/// The numbers of one AdamW step (arXiv 1711.05101, algorithm 2).
public struct AdamWStep: Sendable {
    public var learningRate: Float
    public var beta1: Float
    public var beta2: Float
    public var epsilon: Float
    public var weightDecay: Float
    /// 1, 2, …: for the bias corrections.
    public var step: Int
    /// Factor on the gradient, for clipping and averaging.
    public var gradientScale: Float

    public init(
        learningRate: Float, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float,
        step: Int, gradientScale: Float = 1
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.step = step
        self.gradientScale = gradientScale
    }
}

/// Distributions a backend can fill a tensor with.
public enum RandomDistribution: Sendable, Hashable {
    /// Uniform in [low, high).
    case uniform(low: Float, high: Float)
    /// Normal.
    case normal(mean: Float, standardDeviation: Float)
    /// Normal, redrawn outside ± 2 standard deviations.
    case truncatedNormal(mean: Float, standardDeviation: Float)
    /// 1/keep with probability `keep`, else 0.
    case dropout(keep: Float)
}
