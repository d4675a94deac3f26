internal import CKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Algorithms of attention; all give the exact softmax attention, up to rounding.
public enum AttentionAlgorithm: Int, Sendable, CaseIterable {
    /// All scores of a row, their maximum, their exponentials, their sum.
    case naive
    /// Tiles with the online softmax: FlashAttention-2, arXiv 2307.08691.
    case fa2
    /// Tiles with the maximum initialised from key-block representations, sharpened on a priority tile and then
    /// frozen: Vector Relieved Flash Attention, arXiv 2604.12798. Rows whose maximum turns out to be too far off are
    /// redone with the online softmax.
    case vfa
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
    /// Multiplications of a query tile's accumulator by the factor of a new maximum.
    public var rescales = 0
    /// Rows that failed VFA's guard and were redone with the online softmax.
    public var fallbackRows = 0
    /// Pairs and rescales spent on the fallback rows; not part of the counts above.
    public var fallbackTiles = 0
    public var fallbackRescales = 0

    public init() {}

    public static func += (a: inout AttentionKernelCounters, b: AttentionKernelCounters) {
        a.tiles += b.tiles
        a.rowMaximumTiles += b.rowMaximumTiles
        a.rescales += b.rescales
        a.fallbackRows += b.fallbackRows
        a.fallbackTiles += b.fallbackTiles
        a.fallbackRescales += b.fallbackRescales
    }

    init(_ counters: kernel_attention_counters) {
        tiles = Int(counters.tiles)
        rowMaximumTiles = Int(counters.row_maximum_tiles)
        rescales = Int(counters.rescales)
        fallbackRows = Int(counters.fallback_rows)
        fallbackTiles = Int(counters.fallback_tiles)
        fallbackRescales = Int(counters.fallback_rescales)
    }
}

/// Scaled dot-product attention of one shape: `o = softmax(scale · q kᵀ) v` for each batch entry and head.
///
/// Operands are read and written in place with their strides, so a fused qkv buffer needs no copies. Sums are float32;
/// `products` says in which precision the factors of the matrix products are: `.float32`, or `.bfloat16` (queries, keys,
/// values and probabilities rounded to nearest or, for probabilities, truncated; one and the same rounded probability
/// goes into the sum and into the product).
///
/// NaN or +∞ among a row's scores makes that row NaN, as it does in the naive formula; -∞ counts for nothing.
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
    public var products: ElementType
    public var algorithm: AttentionAlgorithm
    /// Class and register tokens before the grid; VFA's sink keys.
    public var leadingTokens: Int
    /// Tokens a row of the image grid, for the neighbours in VFA's priority tile; 0 where there is no grid.
    public var gridWidth: Int
    public var instructionSet: InstructionSet

    /// Self-attention over `tokens` (or `queries` against `keys`), the grid taken to be square.
    public init(
        batch: Int, heads: Int, tokens: Int, keys: Int? = nil, width: Int, scale: Float? = nil,
        storage: ElementType = .float32, products: ElementType? = nil, algorithm: AttentionAlgorithm = .vfa,
        leadingTokens: Int = 1, gridWidth: Int? = nil, instructionSet: InstructionSet = .best
    ) {
        self.batch = batch
        self.heads = heads
        self.queries = tokens
        self.keys = keys ?? tokens
        self.width = width
        self.scale = scale ?? 1 / Float(width).squareRoot()
        self.storage = storage
        self.products = products ?? storage
        self.algorithm = algorithm
        self.leadingTokens = leadingTokens
        self.gridWidth = gridWidth ?? Int(Double(max(0, self.keys - leadingTokens)).squareRoot())
        self.instructionSet = instructionSet
    }

    /// Computes the attention.
    ///
    /// - Parameters:
    ///   - logSumExp: (batch, heads, queries), receives log Σ exp(scale · q kᵀ), which ``backward`` needs.
    ///   - pool: splits the work over query tiles of all heads; nil runs on the caller.
    /// - Returns: What was done.
    @discardableResult
    public func forward(
        q: AttentionOperand, k: AttentionOperand, v: AttentionOperand, into o: AttentionOperand,
        logSumExp: UnsafeMutablePointer<Float>? = nil, pool: WorkerPool? = nil
    ) -> AttentionKernelCounters {
        var problem = self.problem(q, k, v, o)
        problem.log_sum_exp = logSumExp
        guard batch * heads * queries > 0, keys > 0 else {
            precondition(batch * heads * queries == 0, "[attention] expected at least one key, got none")
            return AttentionKernelCounters()
        }
        let table = instructionSet.table
        let tileQueries = Int(table.pointee.attention_tile_queries(&problem))
        let tiles = batch * heads * ((queries + tileQueries - 1) / tileQueries)
        let scratch = table.pointee.attention_scratch(&problem)
        let total = Mutex(AttentionKernelCounters())
        withUnsafePointer(to: problem) { problem in
            AttentionKernel.split(tiles, pool) { range in
                AttentionKernel.withScratch(byteCount: scratch) { scratch in
                    var counters = kernel_attention_counters()
                    table.pointee.attention(
                        problem, Int64(range.lowerBound), Int64(range.upperBound), scratch, &counters)
                    total.withLock { $0 += AttentionKernelCounters(counters) }
                }
            }
        }
        return total.withLock { $0 }
    }

    /// Computes the gradients with respect to q, k and v, which are overwritten.
    ///
    /// The probabilities are computed again from q, k and the `logSumExp` of ``forward`` (FlashAttention-2,
    /// arXiv 2307.08691, algorithm 2). `pool` splits the work over heads.
    public func backward(
        q: AttentionOperand, k: AttentionOperand, v: AttentionOperand, o: AttentionOperand,
        logSumExp: UnsafeMutablePointer<Float>, oGradient: AttentionOperand, intoQ qGradient: AttentionOperand,
        k kGradient: AttentionOperand, v vGradient: AttentionOperand, pool: WorkerPool? = nil
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
                AttentionKernel.withScratch(byteCount: scratch) { scratch in
                    table.pointee.attention_gradient(
                        problem, Int64(range.lowerBound), Int64(range.upperBound), scratch)
                }
            }
        }
    }

    private func problem(
        _ q: AttentionOperand, _ k: AttentionOperand, _ v: AttentionOperand, _ o: AttentionOperand
    ) -> kernel_attention {
        precondition((1...128).contains(width), "[attention] expected a head width of 1 … 128, got \(width)")
        precondition(scale > 0, "[attention] expected a positive scale, got \(scale)")
        var problem = kernel_attention()
        problem.batch = Int64(batch)
        problem.heads = Int64(heads)
        problem.queries = Int64(queries)
        problem.keys = Int64(keys)
        problem.width = Int64(width)
        problem.scale = scale
        problem.storage = storage.kernelType
        problem.products = products.kernelType
        problem.variant = kernel_attention_variant(rawValue: UInt32(algorithm.rawValue))
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

    /// Memory for one call of a kernel, aligned to a cache line.
    private static func withScratch(byteCount: Int, _ body: (UnsafeMutableRawPointer) -> Void) {
        var pointer: UnsafeMutableRawPointer?
        guard posix_memalign(&pointer, 4096, max(byteCount, 64)) == 0, let pointer else {
            fatalError("[attention] out of memory: \(byteCount) bytes asked for")
        }
        defer { free(pointer) }
        body(pointer)
    }
}
