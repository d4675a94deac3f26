internal import Kernels
import Synchronization

extension CPUBackend {
    public func attention(
        _ qkv: Tensor, shape: AttentionShape, variant: AttentionVariant, precision: Precision, into out: Tensor,
        logSumExp: Tensor?
    ) {
        guard out.count > 0 else { return }
        let kernel = attentionKernel(shape, variant, precision, qkv.dtype)
        let (q, k, v) = fused(qkv, shape)
        let counters = profiler.measure(.attention) {
            kernel.forward(
                q: q, k: k, v: v, into: tokensHeads(out, shape), logSumExp: logSumExp.map(floats),
                scratch: attentionScratch, pool: pool)
        }
        attentionCounts.withLock {
            $0.rowMaximumTiles += counters.rowMaximumTiles
            $0.rescales += counters.rescales
            $0.fallbackRows += counters.fallbackRows
        }
    }

    public func attentionGradient(
        _ qkv: Tensor, shape: AttentionShape, out: Tensor, logSumExp: Tensor, gradient: Tensor, into qkvGradient: Tensor
    ) {
        guard out.count > 0 else { return }
        if let products = AttentionGradientProducts(self, shape, type: qkv.dtype) {
            products.run(qkv, out: out, logSumExp: logSumExp, gradient: gradient, into: qkvGradient)
            return
        }
        let kernel = attentionKernel(shape, .vfa, qkv.dtype == .float32 ? .float32 : .bfloat16, qkv.dtype)
        let (q, k, v) = fused(qkv, shape)
        let (dq, dk, dv) = fused(qkvGradient, shape)
        profiler.measure(.attention) {
            kernel.backward(
                q: q, k: k, v: v, o: tokensHeads(out, shape), logSumExp: floats(logSumExp),
                oGradient: tokensHeads(gradient, shape), intoQ: dq, k: dk, v: dv, scratch: attentionScratch, pool: pool)
        }
    }

    public var attentionCounters: AttentionCounters { attentionCounts.withLock { $0 } }

    public func resetAttentionCounters() { attentionCounts.withLock { $0 = AttentionCounters() } }

    /// The kernel for a variant and a precision: the one place where they are translated.
    private func attentionKernel(
        _ shape: AttentionShape, _ variant: AttentionVariant, _ precision: Precision, _ type: DType
    ) -> AttentionKernel {
        // With 8-bit probabilities and values too a ViT-small is 1 % faster, and its embeddings are less exact.
        let wanted: AttentionProducts =
            switch precision {
            case .float32: .float32
            case .bfloat16: .bfloat16
            case .int8: .int8BFloat16
            }
        let products = wanted.isNative(on: kernels.instructionSet) ? wanted : .float32
        let algorithm: AttentionAlgorithm =
            switch variant {
            case .automatic: .fastest(keys: shape.tokens, products: products, on: kernels.instructionSet)
            case .vfa: .vfa
            case .vsa: .vsa
            case .fa2: .fa2
            case .fa4: .fa4
            case .naive: .naive
            }
        var kernel = AttentionKernel(
            batch: shape.batch, heads: shape.heads, tokens: shape.queries, keys: shape.tokens, width: shape.headWidth,
            scale: shape.scale, storage: type.element, products: products, algorithm: algorithm,
            leadingTokens: shape.layout.leadingTokens, gridWidth: shape.layout.gridWidth, order: shape.layout.order)
        if case .vsa(let threshold, let tolerance) = variant {
            (kernel.skipThreshold, kernel.tolerance) = (threshold, tolerance)
        }
        return kernel
    }

    private func fused(
        _ qkv: Tensor, _ shape: AttentionShape
    ) -> (q: AttentionOperand, k: AttentionOperand, v: AttentionOperand) {
        AttentionOperand.fused(
            raw(qkv), type: qkv.dtype.element, tokens: shape.tokens, heads: shape.heads, width: shape.headWidth)
    }

    private func tokensHeads(_ tensor: Tensor, _ shape: AttentionShape) -> AttentionOperand {
        AttentionOperand.tokensHeads(raw(tensor), tokens: shape.queries, heads: shape.heads, width: shape.headWidth)
    }
}
