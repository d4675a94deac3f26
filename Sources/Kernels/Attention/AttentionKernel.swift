internal import CKernels
import Synchronization

/// Algorithms of attention; all but ``vsa`` give the exact softmax attention, up to rounding.
public enum AttentionAlgorithm: Int, Sendable, CaseIterable {
    /// All scores of a row, their maximum, their exponentials, their sum.
    case naive
    /// Tiles with the online softmax: FlashAttention-2, arXiv 2307.08691.
    case fa2
    /// The online softmax that rescales only when a maximum grew by more than ``AttentionKernel/rescaleThreshold``, as
    /// FlashAttention-4 does.
    case fa4
    /// Tiles with the maximum initialised from key-block representations, sharpened on a priority tile and then
    /// frozen: Vector Relieved Flash Attention, arXiv 2604.12798. Rows whose maximum turns out to be too far off are
    /// redone with the online softmax.
    case vfa
    /// VFA that leaves out key blocks whose scores are all below ``AttentionKernel/skipThreshold`` (BLASST,
    /// arXiv 2512.12087). Each row has a certificate of its error.
    case vsa

    /// The exact algorithm that measures fastest (docs/attention.md): VFA, except where exponentials have 8 bits, which want a
    /// maximum that follows the keys, and for short rows, where its priority tile is most of the work.
    public static func fastest(keys: Int, products: AttentionProducts, on set: InstructionSet) -> AttentionAlgorithm {
        let short = set == .amx && products == .bfloat16 ? 250 : 128
        return products == .int8 || keys < short ? .fa2 : .vfa
    }
}

/// Precision of the factors of the two matrix products of an attention; sums are float32 or int32.
public enum AttentionProducts: Int, Sendable, CaseIterable {
    case float32
    /// Queries, keys and values rounded to nearest; probabilities cut off (the bias cancels in the softmax).
    case bfloat16
    /// 8 bits: queries with a scale a token, keys (less their mean) with a scale for each 8 tokens, values (less the middle
    /// of their range) with a scale a channel, probabilities unsigned. A head with NaN or infinity among its keys or
    /// values is computed in bfloat16.
    case int8
    /// `q kᵀ` as in ``int8``, probabilities and values as in ``bfloat16``.
    case int8BFloat16

    public init(_ storage: ElementType) { self = storage == .float32 ? .float32 : .bfloat16 }

    /// Whether an instruction set multiplies in this precision; where it does not, float32 products are faster.
    public func isNative(on set: InstructionSet) -> Bool { self == .float32 || set >= .avx512BF16 }
}

/// How VFA's maximum begins, before the exact scores of the priority tile raise it.
public enum MaximumEstimate: Int, Sendable, CaseIterable {
    /// What measures best for the shape and the products.
    case automatic
    /// The priority tile alone: exact on chosen blocks.
    case none
    /// A block of 64 keys stands for itself by the entry of largest magnitude a channel, with its sign.
    case signedAbsoluteMaximum
    /// A block of 64 keys stands for itself by its mean.
    case mean
    /// Exact scores of 64 sampled keys, carried on to the expected maximum of all (as if they were normal).
    case sampled
}

/// Where the elements of a (batch, head, token, channel) array are: channels are adjacent, other strides are free.
public struct AttentionOperand {
    public var pointer: UnsafeMutableRawPointer
    /// Elements from a batch entry, head or token to the next.
    public var batchStride: Int
    public var headStride: Int
    public var tokenStride: Int

    public init(_ pointer: UnsafeMutableRawPointer, batchStride: Int, headStride: Int, tokenStride: Int) {
        self.pointer = pointer
        self.batchStride = batchStride
        self.headStride = headStride
        self.tokenStride = tokenStride
    }

    /// Array (batch, tokens, heads, width): the form of an attention's result before its projection.
    public static func tokensHeads(
        _ pointer: UnsafeMutableRawPointer, tokens: Int, heads: Int, width: Int
    ) -> AttentionOperand {
        AttentionOperand(
            pointer, batchStride: tokens * heads * width, headStride: width, tokenStride: heads * width)
    }

    /// Array (batch, heads, tokens, width).
    public static func headsTokens(
        _ pointer: UnsafeMutableRawPointer, tokens: Int, heads: Int, width: Int
    ) -> AttentionOperand {
        AttentionOperand(
            pointer, batchStride: heads * tokens * width, headStride: tokens * width, tokenStride: width)
    }

    /// Queries, keys and values in a fused array (batch, tokens, 3, heads, width).
    public static func fused(
        _ pointer: UnsafeMutableRawPointer, type: ElementType, tokens: Int, heads: Int, width: Int
    ) -> (q: AttentionOperand, k: AttentionOperand, v: AttentionOperand) {
        func part(_ index: Int) -> AttentionOperand {
            AttentionOperand(
                pointer + index * heads * width * type.byteCount, batchStride: tokens * 3 * heads * width,
                headStride: width, tokenStride: 3 * heads * width)
        }
        return (part(0), part(1), part(2))
    }

    var strided: kernel_strided {
        kernel_strided(data: pointer, batch: Int64(batchStride), head: Int64(headStride), token: Int64(tokenStride))
    }
}

/// What an attention did; exact, and equal in every run.
public struct AttentionKernelCounters: Sendable, Equatable {
    /// Pairs of a query tile and a key block whose scores were computed. VFA's priority tile counts as one.
    public var tiles = 0
    /// Of them, pairs whose row maxima were computed.
    public var rowMaximumTiles = 0
    /// Of them, pairs that VSA left out.
    public var skippedTiles = 0
    /// Of them, pairs that were done again because an 8-bit probability overflowed under the frozen maximum.
    public var redoneTiles = 0
    /// Multiplications of a query tile's accumulator by the factor of a new maximum.
    public var rescales = 0
    /// Rows that failed VFA's guard and were redone with the online softmax.
    public var fallbackRows = 0
    /// Of them, rows whose VSA certificate was above the tolerance.
    public var uncertainRows = 0
    /// Pairs and rescales spent on the fallback rows; not part of the counts above.
    public var fallbackTiles = 0
    public var fallbackRescales = 0

    public init() {}

    public static func += (a: inout AttentionKernelCounters, b: AttentionKernelCounters) {
        a.tiles += b.tiles
        a.rowMaximumTiles += b.rowMaximumTiles
        a.skippedTiles += b.skippedTiles
        a.redoneTiles += b.redoneTiles
        a.rescales += b.rescales
        a.fallbackRows += b.fallbackRows
        a.uncertainRows += b.uncertainRows
        a.fallbackTiles += b.fallbackTiles
        a.fallbackRescales += b.fallbackRescales
    }

    init(_ counters: kernel_attention_counters) {
        tiles = Int(counters.tiles)
        rowMaximumTiles = Int(counters.row_maximum_tiles)
        skippedTiles = Int(counters.skipped_tiles)
        redoneTiles = Int(counters.redone_tiles)
        rescales = Int(counters.rescales)
        uncertainRows = Int(counters.uncertain_rows)
        fallbackRows = Int(counters.fallback_rows)
        fallbackTiles = Int(counters.fallback_tiles)
        fallbackRescales = Int(counters.fallback_rescales)
    }
}

/// Scaled dot-product attention of one shape: `o = softmax(scale · q kᵀ) v` for each batch entry and head.
///
/// Operands are read and written in place with their strides, so a fused qkv buffer needs no copies. `products` says in
/// which precision the factors of the matrix products are; one and the same rounded probability goes into the sum and
/// into the product.
///
/// NaN or +∞ among a row's scores makes that row NaN, as it does in the naive formula; -∞ counts for nothing. With 8-bit
/// products a query with NaN or infinity makes its row NaN.
public struct AttentionKernel: Sendable {
    public var batch: Int
    public var heads: Int
    public var queries: Int
    public var keys: Int
    /// Width of a head, 1 … 128.
    public var width: Int
    /// Factor on the scores, positive; 1/√width unless set.
    public var scale: Float
    /// Storage of all operands.
    public var storage: ElementType
    public var products: AttentionProducts
    public var algorithm: AttentionAlgorithm
    /// Class and register tokens before the grid; VFA's sink keys.
    public var leadingTokens: Int
    /// Tokens a row of the image grid, for the neighbours in VFA's priority tile; 0 where there is no grid.
    public var gridWidth: Int
    /// In which order the grid's tokens lie in memory.
    public var order: GridOrder
    /// VFA and VSA: how the maximum begins.
    public var estimate: MaximumEstimate = .automatic
    /// FA4: powers of 2 by which a maximum may grow before the tile is rescaled; 8-bit probabilities bear at most 1.
    public var rescaleThreshold: Float = 8
    /// VSA: λ, the probability relative to the row's frozen maximum below which a score is small.
    public var skipThreshold: Float = 1e-4
    /// VSA: rows whose certificate (see ``forward(q:k:v:into:logSumExp:certificate:pool:)``) is larger are redone without
    /// leaving anything out; 1 redoes none.
    public var tolerance: Float = 1
    public var instructionSet: InstructionSet

    /// Self-attention over `tokens` (or `queries` against `keys`), the grid taken to be square.
    public init(
        batch: Int, heads: Int, tokens: Int, keys: Int? = nil, width: Int, scale: Float? = nil,
        storage: ElementType = .float32, products: AttentionProducts? = nil, algorithm: AttentionAlgorithm = .vfa,
        leadingTokens: Int = 1, gridWidth: Int? = nil, order: GridOrder = .rows, instructionSet: InstructionSet = .best
    ) {
        self.batch = batch
        self.heads = heads
        self.queries = tokens
        self.keys = keys ?? tokens
        self.width = width
        self.scale = scale ?? 1 / Float(width).squareRoot()
        self.storage = storage
        self.products = products ?? AttentionProducts(storage)
        self.algorithm = algorithm
        self.leadingTokens = leadingTokens
        self.gridWidth = gridWidth ?? Int(Double(max(0, self.keys - leadingTokens)).squareRoot())
        self.order = order
        self.instructionSet = instructionSet
    }

    /// Computes the attention.
    ///
    /// - Parameters:
    ///   - logSumExp: (batch, heads, queries), receives log Σ exp(scale · q kᵀ), which ``backward`` needs.
    ///   - certificate: (batch, heads, queries), receives VSA's certificate: what was left out changes a row's output by at
    ///     most this times (max v − min v), a channel; 0 for rows that were redone. Untouched by other algorithms.
    ///   - scratch: memory to use again, where many attentions follow each other.
    ///   - pool: splits the work over query tiles of all heads; nil runs on the caller.
    /// - Returns: What was done.
    @discardableResult
    public func forward(
        q: AttentionOperand, k: AttentionOperand, v: AttentionOperand, into o: AttentionOperand,
        logSumExp: UnsafeMutablePointer<Float>? = nil, certificate: UnsafeMutablePointer<Float>? = nil,
        scratch memory: AttentionScratch = AttentionScratch(), pool: WorkerPool? = nil
    ) -> AttentionKernelCounters {
        var problem = self.problem(q, k, v, o)
        problem.log_sum_exp = logSumExp
        problem.certificate = certificate
        guard batch * heads * queries > 0, keys > 0 else {
            precondition(batch * heads * queries == 0, "[attention] expected at least one key, got none")
            return AttentionKernelCounters()
        }
        let table = instructionSet.table
        let places = order.places(tokens: keys - leadingTokens, gridWidth: gridWidth)
        let total = Mutex(AttentionKernelCounters())
        places.withPointers { cells, tokens in
            problem.cells = cells
            problem.tokens = tokens
            let tileQueries = Int(table.pointee.attention_tile_queries(&problem))
            let tiles = batch * heads * ((queries + tileQueries - 1) / tileQueries)
            let scratch = table.pointee.attention_scratch(&problem)
            withUnsafePointer(to: problem) { problem in
                AttentionKernel.split(tiles, pool) { range in
                    memory.with(byteCount: scratch) { scratch in
                        var counters = kernel_attention_counters()
                        table.pointee.attention(
                            problem, Int64(range.lowerBound), Int64(range.upperBound), scratch, &counters)
                        total.withLock { $0 += AttentionKernelCounters(counters) }
                    }
                }
            }
        }
        return total.withLock { $0 }
    }

    /// Computes the gradients with respect to q, k and v, which are overwritten.
    ///
    /// The probabilities are computed again from q, k and the `logSumExp` of ``forward`` (FlashAttention-2,
    /// arXiv 2307.08691, algorithm 2). `pool` splits the work over heads. With 8-bit products the factors are bfloat16 numbers.
    public func backward(
        q: AttentionOperand, k: AttentionOperand, v: AttentionOperand, o: AttentionOperand,
        logSumExp: UnsafeMutablePointer<Float>, oGradient: AttentionOperand, intoQ qGradient: AttentionOperand,
        k kGradient: AttentionOperand, v vGradient: AttentionOperand,
        scratch memory: AttentionScratch = AttentionScratch(),
        pool: WorkerPool? = nil
    ) {
        var problem = self.problem(q, k, v, o)
        problem.log_sum_exp = logSumExp
        problem.o_gradient = oGradient.strided
        problem.q_gradient = qGradient.strided
        problem.k_gradient = kGradient.strided
        problem.v_gradient = vGradient.strided
        guard batch * heads > 0, queries > 0, keys > 0 else {
            precondition(batch * heads == 0, "[attention backward] expected tokens, got \(queries) and \(keys)")
            return
        }
        let table = instructionSet.table
        let scratch = table.pointee.attention_gradient_scratch(&problem)
        withUnsafePointer(to: problem) { problem in
            AttentionKernel.split(batch * heads, pool) { range in
                memory.with(byteCount: scratch) { scratch in
                    table.pointee.attention_gradient(
                        problem, Int64(range.lowerBound), Int64(range.upperBound), scratch)
                }
            }
        }
    }

    /// Bytes that each thread of ``forward(q:k:v:into:logSumExp:certificate:scratch:pool:)`` works in: linear in the tokens.
    public var scratchByteCount: Int {
        let nothing = AttentionOperand(
            UnsafeMutableRawPointer(bitPattern: 64)!, batchStride: 0, headStride: 0, tokenStride: 0)
        var problem = self.problem(nothing, nothing, nothing, nothing)
        return Int(instructionSet.table.pointee.attention_scratch(&problem))
    }

    private func problem(
        _ q: AttentionOperand, _ k: AttentionOperand, _ v: AttentionOperand, _ o: AttentionOperand
    ) -> kernel_attention {
        precondition((1...128).contains(width), "[attention] expected a head width of 1 … 128, got \(width)")
        precondition(
            algorithm != .vsa || (skipThreshold > 0 && skipThreshold < 1),
            "[attention] expected a skip threshold between 0 and 1, got \(skipThreshold)")
        precondition(scale > 0, "[attention] expected a positive scale, got \(scale)")
        var problem = kernel_attention()
        problem.batch = Int64(batch)
        problem.heads = Int64(heads)
        problem.queries = Int64(queries)
        problem.keys = Int64(keys)
        problem.width = Int64(width)
        problem.scale = scale
        problem.storage = storage.kernelType
        problem.products = kernel_products(rawValue: UInt32(products.rawValue))
        problem.variant = kernel_attention_variant(rawValue: UInt32(algorithm.rawValue))
        problem.estimate = kernel_maximum_estimate(rawValue: UInt32(estimate.rawValue))
        problem.rescale_threshold = rescaleThreshold
        problem.skip_threshold = skipThreshold
        problem.tolerance = tolerance
        problem.leading_tokens = Int64(leadingTokens)
        problem.grid_width = Int64(gridWidth)
        problem.q = q.strided
        problem.k = k.strided
        problem.v = v.strided
        problem.o = o.strided
        return problem
    }

    private static func split(_ count: Int, _ pool: WorkerPool?, _ body: (Range<Int>) -> Void) {
        if let pool { pool.parallelRanges(count, body) } else { body(0..<count) }
    }
}
