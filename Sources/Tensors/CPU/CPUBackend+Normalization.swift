internal import CDNNL

extension CPUBackend {
    // MARK: - Layer norm

    public func layerNorm(
        _ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float, into out: Tensor, statistics: Tensor?
    ) {
        guard out.count > 0 else { return }
        guard x.dtype == .float32, out.dtype == .float32 else {
            throughFloat32([x], into: out) {
                layerNorm($0[0], weight: weight, bias: bias, epsilon: epsilon, into: $1, statistics: statistics)
            }
            return
        }
        profiler.measure(.normalization) {
            let width = x.shape[x.rank - 1]
            let rows = x.count / width
            let (w, b) = (weight.map(floats), bias.map(floats))
            let saved = statistics.map(floats)
            for row in 0..<rows {
                let (p, q) = (floats(x) + row * width, floats(out) + row * width)
                let mean = Float(Rows.sum(p, count: width) / Double(width))
                for i in 0..<width { q[i] = p[i] - mean }
                let variance = Float(Rows.sumOfSquares(q, count: width) / Double(width))
                let inverse = 1 / (variance + epsilon).squareRoot()
                for i in 0..<width { q[i] *= inverse }
                if let w { for i in 0..<width { q[i] *= w[i] } }
                if let b { for i in 0..<width { q[i] += b[i] } }
                if let saved {
                    saved[row] = mean
                    saved[rows + row] = inverse
                }
            }
        }
    }

    public func layerNormGradient(
        _ x: Tensor, weight: Tensor?, statistics: Tensor, gradient: Tensor, into xGradient: Tensor,
        weightGradient: Tensor?, biasGradient: Tensor?
    ) {
        if let weightGradient { fill(weightGradient, with: 0) }
        if let biasGradient { fill(biasGradient, with: 0) }
        guard x.count > 0 else { return }
        guard x.dtype == .float32, gradient.dtype == .float32, xGradient.dtype == .float32 else {
            throughFloat32([x, gradient], into: xGradient) {
                layerNormGradient(
                    $0[0], weight: weight, statistics: statistics, gradient: $0[1], into: $1,
                    weightGradient: weightGradient, biasGradient: biasGradient)
            }
            return
        }
        profiler.measure(.normalization) {
            let width = x.shape[x.rank - 1]
            let rows = x.count / width
            let (w, dw, db) = (weight.map(floats), weightGradient.map(floats), biasGradient.map(floats))
            let saved = floats(statistics)
            for row in 0..<rows {
                let (p, g, q) = (floats(x) + row * width, floats(gradient) + row * width, floats(xGradient) + row * width)
                let (mean, inverse) = (saved[row], saved[rows + row])
                // dx = inverse · (h − mean(h) − x̂ · mean(h·x̂)), h = g·w
                var (sum, dot) = (Float(0), Float(0))
                for i in 0..<width {
                    let normalized = (p[i] - mean) * inverse
                    let h = w.map { $0[i] * g[i] } ?? g[i]
                    sum += h
                    dot += h * normalized
                    if let dw { dw[i] += g[i] * normalized }
                    if let db { db[i] += g[i] }
                }
                let (meanH, meanDot) = (sum / Float(width), dot / Float(width))
                for i in 0..<width {
                    let normalized = (p[i] - mean) * inverse
                    let h = w.map { $0[i] * g[i] } ?? g[i]
                    q[i] = inverse * (h - meanH - normalized * meanDot)
                }
            }
        }
    }

    // MARK: - Softmax

    public func softmax(_ x: Tensor, logarithmic: Bool, into out: Tensor) {
        guard out.count > 0 else { return }
        let width = x.shape[x.rank - 1]
        let layout = OneDNN.Layout([x.count / width, width], x.dtype)
        let kind = logarithmic ? dnnl_softmax_log : dnnl_softmax_accurate
        let primitive = dnnl.primitive(.softmax, [x.count / width, width, x.dtype.code, logarithmic ? 1 : 0]) { engine in
            var operation = dnnl_softmax_v2_desc_t()
            var (a, b) = (layout.descriptor, layout.descriptor)
            guard
                dnnl_softmax_v2_forward_desc_init(&operation, dnnl_forward_inference, kind, &a, &b, 1) == dnnl_success
            else { return nil }
            return OneDNN.descriptor(&operation, OneDNN.attributes(), engine)
        }
        guard let primitive else {
            throughFloat32([x], into: out) { softmax($0[0], logarithmic: logarithmic, into: $1) }
            return
        }
        profiler.measure(.normalization) {
            dnnl.execute(
                primitive,
                [
                    OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: layout, pointer: raw(x)),
                    OneDNN.Argument(role: DNNL_ARG_DST_0, layout: layout, pointer: raw(out)),
                ])
        }
    }

    public func softmaxGradient(_ y: Tensor, gradient: Tensor, logarithmic: Bool, into out: Tensor) {
        guard out.count > 0 else { return }
        let width = y.shape[y.rank - 1]
        let layout = OneDNN.Layout([y.count / width, width], y.dtype)
        let kind = logarithmic ? dnnl_softmax_log : dnnl_softmax_accurate
        let primitive = dnnl.primitive(
            .softmaxBackward, [y.count / width, width, y.dtype.code, logarithmic ? 1 : 0]
        ) { engine in
            var operation = dnnl_softmax_v2_desc_t()
            var (a, b, c) = (layout.descriptor, layout.descriptor, layout.descriptor)
            guard dnnl_softmax_v2_backward_desc_init(&operation, kind, &a, &b, &c, 1) == dnnl_success else {
                return nil
            }
            return OneDNN.descriptor(&operation, OneDNN.attributes(), engine)
        }
        guard let primitive else {
            throughFloat32([y, gradient], into: out) {
                softmaxGradient($0[0], gradient: $0[1], logarithmic: logarithmic, into: $1)
            }
            return
        }
        profiler.measure(.normalization) {
            dnnl.execute(
                primitive,
                [
                    OneDNN.Argument(role: DNNL_ARG_DST_0, layout: layout, pointer: raw(y)),
                    OneDNN.Argument(role: DNNL_ARG_DIFF_DST_0, layout: layout, pointer: raw(gradient)),
                    OneDNN.Argument(role: DNNL_ARG_DIFF_SRC_0, layout: layout, pointer: raw(out)),
                ])
        }
    }
}
