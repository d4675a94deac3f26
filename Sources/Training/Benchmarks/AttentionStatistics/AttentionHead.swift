public import Models
public import Tensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Queries, keys and values of one attention head for one image.
///
/// Scores are in base 2: `q` carries the factor log₂(e)/√width, so that softmax is `2^(q·k)` over its sum and a difference of 1
/// between two scores is a factor of 2 between their probabilities.
public struct AttentionHead: Sendable {
    /// Number of tokens: prefix and patches.
    public let tokens: Int
    /// Channels of a head.
    public let width: Int
    /// (tokens, width); scaled, see above.
    public var q: [Float]
    /// (tokens, width)
    public var k: [Float]
    /// (tokens, width)
    public var v: [Float]

    /// - Parameters:
    ///   - q: (tokens, width), already scaled to scores in base 2.
    ///   - k, v: (tokens, width).
    public init(tokens: Int, width: Int, q: [Float], k: [Float], v: [Float]) {
        precondition(
            [q, k, v].allSatisfy { $0.count == tokens * width },
            "[AttentionHead] expected \(tokens) × \(width) numbers, got \(q.count), \(k.count) and \(v.count)")
        self.tokens = tokens
        self.width = width
        self.q = q
        self.k = k
        self.v = v
    }

    /// The heads of all blocks of a backbone for one image, by block and head.
    ///
    /// - Parameter image: (1, channels, height, width), normalised as in training.
    public static func capture(_ image: Tensor, in model: VisionTransformer) -> [[AttentionHead]] {
        precondition(image.shape[0] == 1, "[capture] expected one image, got \(image.shape[0])")
        return model.blocks.indices.map { index in
            // A backbone cut off before this block, with the block's first norm as its last.
            var trunk = model
            trunk.blocks = Array(model.blocks[..<index])
            trunk.norm = model.blocks[index].norm1
            let attention = model.blocks[index].attention
            return heads(of: attention.qkv(trunk(image)), count: attention.heads)
        }
    }

    /// The heads of a fused array (1, tokens, 3 · heads · width), as one linear layer makes it.
    static func heads(of fused: Tensor, count: Int) -> [AttentionHead] {
        let tokens = fused.shape[1]
        let width = fused.shape[2] / (3 * count)
        let values = fused.floats()
        let scale = Float(M_LOG2E) / Float(width).squareRoot()
        return (0..<count).map { head in
            func part(_ index: Int, times factor: Float) -> [Float] {
                (0..<tokens).flatMap { token in
                    let start = ((token * 3 + index) * count + head) * width
                    return values[start..<(start + width)].map { $0 * factor }
                }
            }
            return AttentionHead(
                tokens: tokens, width: width, q: part(0, times: scale), k: part(1, times: 1), v: part(2, times: 1))
        }
    }

    /// The same head with its tokens in another order: token `order[i]` comes to place i.
    func reordered(by order: [Int]) -> AttentionHead {
        func moved(_ x: [Float]) -> [Float] { order.flatMap { x[($0 * width)..<(($0 + 1) * width)] } }
        return AttentionHead(tokens: tokens, width: width, q: moved(q), k: moved(k), v: moved(v))
    }

    /// The score of a query with a vector in the place of a key, in double precision.
    package func score(_ query: Int, _ key: ArraySlice<Float>) -> Double {
        zip(q[(query * width)..<((query + 1) * width)], key).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    /// The vector of a key.
    package func key(_ index: Int) -> ArraySlice<Float> { k[(index * width)..<((index + 1) * width)] }

    /// Scores of a range of queries with vectors (count, width): (queries, count).
    func scores(_ queries: Range<Int>, with vectors: Tensor) -> [Float] {
        let rows = Array(q[(queries.lowerBound * width)..<(queries.upperBound * width)])
        return Tensor(rows, shape: [queries.count, width], on: vectors.backend)
            .matmul(vectors, transposingOther: true).floats()
    }
}
