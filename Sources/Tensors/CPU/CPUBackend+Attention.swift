#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension CPUBackend {
    public func attention(
        _ qkv: Tensor, shape: AttentionShape, variant: AttentionVariant, into out: Tensor, logSumExp: Tensor?
    ) {
        guard out.count > 0 else { return }
        guard qkv.dtype == .float32 else {
            throughFloat32([qkv], into: out) {
                attention($0[0], shape: shape, variant: variant, into: $1, logSumExp: logSumExp)
            }
            return
        }
        profiler.measure(.attention) {
            let (n, d, h) = (shape.tokens, shape.headWidth, shape.heads)
            let step = 3 * h * d
            var scores = [Float](repeating: 0, count: n)
            for b in 0..<shape.batch {
                for head in 0..<h {
                    let base = floats(qkv) + b * n * step + head * d
                    for i in 0..<n {
                        let q = base + i * step
                        var maximum = -Float.infinity
                        for j in 0..<n {
                            let k = base + j * step + h * d
                            var dot: Float = 0
                            for c in 0..<d { dot += q[c] * k[c] }
                            scores[j] = dot * shape.scale
                            maximum = max(maximum, scores[j])
                        }
                        var sum: Float = 0
                        for j in 0..<n {
                            scores[j] = expf(scores[j] - maximum)
                            sum += scores[j]
                        }
                        let o = floats(out) + (b * n + i) * h * d + head * d
                        o.update(repeating: 0, count: d)
                        for j in 0..<n {
                            let v = base + j * step + 2 * h * d
                            let p = scores[j] / sum
                            for c in 0..<d { o[c] += p * v[c] }
                        }
                        if let logSumExp { floats(logSumExp)[(b * h + head) * n + i] = maximum + logf(sum) }
                    }
                }
            }
        }
    }

    public func attentionGradient(
        _ qkv: Tensor, shape: AttentionShape, out: Tensor, logSumExp: Tensor, gradient: Tensor, into qkvGradient: Tensor
    ) {
        guard qkv.dtype == .float32 else {
            throughFloat32([qkv, out, gradient], into: qkvGradient) {
                attentionGradient(
                    $0[0], shape: shape, out: $0[1], logSumExp: logSumExp, gradient: $0[2], into: $1)
            }
            return
        }
        fill(qkvGradient, with: 0)
        profiler.measure(.attention) {
            let (n, d, h) = (shape.tokens, shape.headWidth, shape.heads)
            let step = 3 * h * d
            for b in 0..<shape.batch {
                for head in 0..<h {
                    let base = floats(qkv) + b * n * step + head * d
                    let dbase = floats(qkvGradient) + b * n * step + head * d
                    for i in 0..<n {
                        let q = base + i * step
                        let row = (b * n + i) * h * d + head * d
                        let (o, g) = (floats(out) + row, floats(gradient) + row)
                        var delta: Float = 0
                        for c in 0..<d { delta += o[c] * g[c] }
                        let lse = floats(logSumExp)[(b * h + head) * n + i]
                        for j in 0..<n {
                            let (k, v) = (base + j * step + h * d, base + j * step + 2 * h * d)
                            var (dot, dp) = (Float(0), Float(0))
                            for c in 0..<d {
                                dot += q[c] * k[c]
                                dp += g[c] * v[c]
                            }
                            let p = expf(dot * shape.scale - lse)
                            let ds = p * (dp - delta) * shape.scale
                            let (dk, dv) = (dbase + j * step + h * d, dbase + j * step + 2 * h * d)
                            for c in 0..<d {
                                dv[c] += p * g[c]
                                dk[c] += ds * q[c]
                                dbase[i * step + c] += ds * k[c]
                            }
                        }
                    }
                }
            }
        }
    }

    public var attentionCounters: AttentionCounters { AttentionCounters() }

    public func resetAttentionCounters() {}
}
