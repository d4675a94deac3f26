internal import Kernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The gradient of attention in bfloat16 with its five products as matrices of several heads (FlashAttention-2, algorithm 2,
/// with one block): the scores of a head are in memory, but not beyond the second-level cache.
///
///     p = exp(scale · q kᵀ − l)     ds = scale · p (do vᵀ − D), D = Σ do · o
///     dv = pᵀ do                    dk = dsᵀ q                      dq = ds k
///
/// oneDNN multiplies with what the processor has, tiles (AMX) or dot products. Queries and keys are padded with zeros to a
/// multiple of 16, where it has its fastest code. Measured on a Zen 4 core for 257 tokens of width 32: 125 µs a head, for 65 of
/// width 64: 21 µs, all five products.
struct AttentionGradientProducts {
    private let backend: CPUBackend
    private let shape: AttentionShape
    /// Queries and keys with padding.
    private let size: Int

    /// Nil where the attention kernel's own gradient has to do: float32, no bfloat16 products, long or very short sequences.
    init?(_ backend: CPUBackend, _ shape: AttentionShape, type: DType) {
        let size = (shape.tokens + 15) & ~15
        guard type == .bfloat16, OneDNN.hasBFloat16Products, backend.threads == 1, shape.queries == shape.tokens,
            shape.tokens >= 16, size * size * Self.bytesOfScores <= 2 << 20
        else { return nil }
        (self.backend, self.shape, self.size) = (backend, shape, size)
    }

    /// Bytes for each pair of a query and a key: two matrices of float32 and two of bfloat16 numbers.
    private static let bytesOfScores = 12

    /// The memory of one group of heads.
    private struct Scratch {
        let storage: CPUStorage
        /// (heads, size, width) bfloat16: q, k, v, do and dq, dk, dv.
        let rows: [UnsafeMutablePointer<UInt16>]
        /// (heads, size, size)
        let scores, gradients: UnsafeMutablePointer<Float>
        let p, ds: UnsafeMutablePointer<UInt16>
        /// (size)
        let oDot: UnsafeMutablePointer<Float>

        init(_ backend: CPUBackend, heads: Int, size: Int, width: Int) {
            let (square, matrix) = (heads * size * size, heads * size * width)
            storage = CPUStorage(
                byteCount: square * AttentionGradientProducts.bytesOfScores + 7 * matrix * 2 + size * 4,
                allocator: backend.allocator, backend: backend)
            scores = storage.pointer.assumingMemoryBound(to: Float.self)
            gradients = scores + square
            p = (storage.pointer + square * 8).assumingMemoryBound(to: UInt16.self)
            ds = p + square
            let first = ds + square
            rows = (0..<7).map { first + $0 * matrix }
            oDot = UnsafeMutableRawPointer(first + 7 * matrix).assumingMemoryBound(to: Float.self)
        }
    }

    func run(_ qkv: Tensor, out: Tensor, logSumExp: Tensor, gradient: Tensor, into qkvGradient: Tensor) {
        let all = shape.batch * shape.heads
        let group = min(all, max(1, (640 << 10) / (size * size * Self.bytesOfScores)))
        let scratch = Scratch(backend, heads: group, size: size, width: shape.headWidth)
        for first in stride(from: 0, to: all, by: group) {
            let heads = first..<min(first + group, all)
            backend.profiler.measure(.attention) { gather(heads, qkv, gradient, scratch) }
            multiply(0, 1, into: scratch.scores, heads.count, scratch)
            multiply(3, 2, into: scratch.gradients, heads.count, scratch)
            backend.profiler.measure(.attention) { weigh(heads, out, logSumExp, gradient, scratch) }
            multiply(scratch.ds, transposed: false, 1, into: 4, heads.count, scratch)
            multiply(scratch.ds, transposed: true, 0, into: 5, heads.count, scratch)
            multiply(scratch.p, transposed: true, 3, into: 6, heads.count, scratch)
            backend.profiler.measure(.attention) { scatter(heads, scratch, into: qkvGradient) }
        }
        withExtendedLifetime(scratch.storage) {}
    }

    /// Elements from the beginning to the first token of a head: of a part of the fused buffer, or of the result.
    private func start(_ head: Int, part: Int?) -> Int {
        let (batch, inner) = (head / shape.heads, head % shape.heads)
        let width = shape.heads * shape.headWidth
        return (part.map { (batch * shape.tokens * 3 + $0) * width } ?? batch * shape.tokens * width)
            + inner * shape.headWidth
    }

    private func tokenStride(part: Int?) -> Int { (part == nil ? 1 : 3) * shape.heads * shape.headWidth }

    /// Copies q, k, v and do of the heads to dense matrices.
    private func gather(_ heads: Range<Int>, _ qkv: Tensor, _ gradient: Tensor, _ scratch: Scratch) {
        let (width, bytes) = (shape.headWidth, shape.headWidth * 2)
        for (index, part) in [0, 1, 2, nil].enumerated() {
            let source = backend.bfloats(part == nil ? gradient : qkv)
            let stride = tokenStride(part: part)
            for head in heads {
                var from = source + start(head, part: part)
                var to = scratch.rows[index] + (head - heads.lowerBound) * size * width
                for _ in 0..<shape.tokens {
                    memcpy(to, from, bytes)
                    from += stride
                    to += width
                }
                memset(to, 0, (size - shape.tokens) * bytes)
            }
        }
    }

    /// From scores to probabilities and their gradients.
    private func weigh(
        _ heads: Range<Int>, _ out: Tensor, _ logSumExp: Tensor, _ gradient: Tensor, _ scratch: Scratch
    ) {
        let stride = tokenStride(part: nil)
        for head in heads {
            let (at, square) = (start(head, part: nil), (head - heads.lowerBound) * size * size)
            backend.kernels.dotRows(
                backend.bfloats(out) + at, stride: stride, backend.bfloats(gradient) + at, stride: stride,
                type: .bfloat16, rows: shape.tokens, columns: shape.headWidth, into: scratch.oDot)
            backend.kernels.attentionGradientScores(
                scratch.scores + square, scratch.gradients + square,
                logSumExp: backend.floats(logSumExp) + head * shape.tokens, oDot: scratch.oDot, scale: shape.scale,
                intoP: scratch.p + square, ds: scratch.ds + square, queries: shape.tokens, keys: shape.tokens,
                size: size)
        }
    }

    private func scatter(_ heads: Range<Int>, _ scratch: Scratch, into qkvGradient: Tensor) {
        let (width, bytes) = (shape.headWidth, shape.headWidth * 2)
        for part in 0..<3 {
            let stride = tokenStride(part: part)
            for head in heads {
                var to = backend.bfloats(qkvGradient) + start(head, part: part)
                var from = scratch.rows[4 + part] + (head - heads.lowerBound) * size * width
                for _ in 0..<shape.tokens {
                    memcpy(to, from, bytes)
                    from += width
                    to += stride
                }
            }
        }
    }

    // MARK: - Products

    /// `out = rows a · (rows b)ᵀ`, (heads, size, size) float32.
    private func multiply(
        _ a: Int, _ b: Int, into out: UnsafeMutablePointer<Float>, _ heads: Int, _ scratch: Scratch
    ) {
        let width = shape.headWidth
        backend.multiply(
            scratch.rows[a], layout(heads, size, width, transposed: false, .bfloat16), scratch.rows[b],
            layout(heads, width, size, transposed: true, .bfloat16), into: out,
            layout(heads, size, size, transposed: false, .float32), key: [4, heads, size, width, 0])
    }

    /// `rows out = scores · rows b` or `scoresᵀ · rows b`, (heads, size, width).
    private func multiply(
        _ scores: UnsafeMutablePointer<UInt16>, transposed: Bool, _ b: Int, into out: Int, _ heads: Int,
        _ scratch: Scratch
    ) {
        let width = shape.headWidth
        backend.multiply(
            scores, layout(heads, size, size, transposed: transposed, .bfloat16), scratch.rows[b],
            layout(heads, size, width, transposed: false, .bfloat16), into: scratch.rows[out],
            layout(heads, size, width, transposed: false, .bfloat16), key: [4, heads, size, width, transposed ? 2 : 1])
    }

    /// (heads, rows, columns), or the transposes of row-major (columns, rows).
    private func layout(_ heads: Int, _ rows: Int, _ columns: Int, transposed: Bool, _ type: DType) -> OneDNN.Layout {
        OneDNN.Layout(
            [heads, rows, columns], type, strides: [rows * columns] + (transposed ? [1, rows] : [columns, 1]))
    }
}
