extension Tensor {
    /// Multi-head self-attention on fused queries, keys and values.
    ///
    /// `self` is (B, N, 3·H·d) or (B, N, 3, H, d), as one linear layer of width 3·H·d makes it: for each token the
    /// queries of all heads, then the keys, then the values. The kernel reads this layout directly.
    /// - Parameters:
    ///   - heads: H.
    ///   - queries: the first tokens, those whose result is wanted; all when nil.
    ///   - scale: factor on the scores; 1/√d by default.
    ///   - variant: which algorithm.
    ///   - precision: of the products; by default that of the buffer.
    ///   - layout: what the tokens are.
    /// - Returns: (B, N, H·d), or (B, queries, H·d).
    public func attention(
        heads: Int, queries: Int? = nil, scale: Float? = nil, variant: AttentionVariant = .automatic,
        precision: Precision? = nil, layout: TokenLayout = TokenLayout()
    ) -> Tensor {
        let width = rank == 5 ? shape[2] * shape[3] * shape[4] : (rank == 3 ? shape[2] : 0)
        require(
            width > 0 && width % (3 * heads) == 0 && (rank == 3 || (shape[2] == 3 && shape[3] == heads)), "attention",
            expected: "(B, N, 3·\(heads)·d)", got: "\(shape)")
        let headWidth = width / (3 * heads)
        let sizes = AttentionShape(
            batch: shape[0], tokens: shape[1], queries: isOnTape ? nil : queries, heads: heads, headWidth: headWidth,
            scale: scale ?? 1 / Float(headWidth).squareRoot(), layout: layout)
        require(
            (0...shape[1]).contains(queries ?? 0), "attention", expected: "0 to \(shape[1]) queries",
            got: "\(queries ?? 0)")
        let result = Tensor.uninitialized(
            shape: [shape[0], sizes.queries, heads * headWidth], dtype: dtype, on: backend)
        let precision = precision ?? (dtype == .float32 ? .float32 : .bfloat16)
        guard isOnTape else {
            backend.attention(
                self, shape: sizes, variant: variant, precision: precision, into: result, logSumExp: nil)
            return result
        }
        let logSumExp = Tensor.uninitialized(shape: [shape[0], heads, shape[1]], on: backend)
        backend.attention(
            self, shape: sizes, variant: variant, precision: precision, into: result, logSumExp: logSumExp)
        let (qkv, out) = (detached, result)
        let recorded = result.recorded(from: [self]) { gradient, _ in
            let dqkv = Tensor.uninitialized(shape: qkv.shape, dtype: qkv.dtype, on: qkv.backend)
            qkv.backend.attentionGradient(
                qkv, shape: sizes, out: out, logSumExp: logSumExp, gradient: gradient.cast(to: qkv.dtype), into: dqkv)
            return [dqkv]
        }
        return queries.map { recorded.slice(axis: 1, 0..<$0) } ?? recorded
    }
}
