internal import CDNNL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension CPUBackend {
    // MARK: - Filling and converting

    public func fill(_ out: Tensor, with value: Float) {
        host(out.storage).valuesChanged()
        profiler.measure(.copy) {
            let count = out.count
            switch out.dtype {
            case .float32: floats(out).update(repeating: value, count: count)
            case .bfloat16: bfloats(out).update(repeating: BFloat16.bits(value), count: count)
            case .int32: indices(out).update(repeating: Int32(value), count: count)
            }
        }
    }

    public func convert(_ x: Tensor, into out: Tensor) {
        let count = out.count
        host(out.storage).valuesChanged()
        profiler.measure(.copy) {
            switch (x.dtype, out.dtype) {
            case (.float32, .float32), (.bfloat16, .bfloat16), (.int32, .int32):
                raw(out).copyMemory(from: raw(x), byteCount: count * x.dtype.byteCount)
            case (.float32, .bfloat16): BFloat16.convert(floats(x), to: bfloats(out), count: count)
            case (.bfloat16, .float32): BFloat16.convert(bfloats(x), to: floats(out), count: count)
            case (.int32, .float32):
                let (p, q) = (indices(x), floats(out))
                for i in 0..<count { q[i] = Float(p[i]) }
            default: preconditionFailure("[convert] expected floating-point types, got \(x.dtype) to \(out.dtype)")
            }
        }
    }

    public func affine(_ x: Tensor, scale: Float, offset: Float, into out: Tensor) {
        host(out.storage).valuesChanged()
        guard x.dtype == .float32, out.dtype == .float32 else {
            throughFloat32([x], into: out) { affine($0[0], scale: scale, offset: offset, into: $1) }
            return
        }
        profiler.measure(.elementwise) {
            let (p, q, count) = (floats(x), floats(out), out.count)
            for i in 0..<count { q[i] = p[i] * scale + offset }
        }
    }

    public func accumulate(_ x: Tensor, scale: Float, into out: Tensor) {
        host(out.storage).valuesChanged()
        profiler.measure(.elementwise) {
            let (p, q, count) = (floats(x), floats(out), out.count)
            for i in 0..<count { q[i] += p[i] * scale }
        }
    }

    // MARK: - Functions of one variable

    public func unary(_ function: UnaryFunction, _ x: Tensor, into out: Tensor) {
        guard out.count > 0 else { return }
        guard let kind = function.oneDNN else {
            throughFloat32([x], into: out) { wide, result in
                profiler.measure(.elementwise) {
                    function.apply(floats(wide[0]), into: floats(result), count: result.count)
                }
            }
            return
        }
        let layout = OneDNN.Layout([x.count], x.dtype)
        let primitive = dnnl.primitive(.eltwise, [function.rawValue, x.count, x.dtype.code]) { engine in
            var operation = dnnl_eltwise_desc_t()
            var data = layout.descriptor
            guard
                dnnl_eltwise_forward_desc_init(&operation, dnnl_forward_inference, kind, &data, 0, 0) == dnnl_success
            else { return nil }
            return OneDNN.descriptor(&operation, OneDNN.attributes(), engine)
        }
        guard let primitive else {
            throughFloat32([x], into: out) { unary(function, $0[0], into: $1) }
            return
        }
        profiler.measure(.elementwise) {
            dnnl.execute(
                primitive,
                [
                    OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: layout, pointer: raw(x)),
                    OneDNN.Argument(role: DNNL_ARG_DST_0, layout: layout, pointer: raw(out)),
                ])
        }
    }

    public func unaryGradient(_ function: UnaryFunction, _ x: Tensor, gradient: Tensor, into out: Tensor) {
        guard out.count > 0 else { return }
        guard let kind = function.oneDNN else {
            throughFloat32([x, gradient], into: out) { wide, result in
                profiler.measure(.elementwise) {
                    function.applyGradient(
                        floats(wide[0]), gradient: floats(wide[1]), into: floats(result), count: result.count)
                }
            }
            return
        }
        let layout = OneDNN.Layout([x.count], x.dtype)
        let primitive = dnnl.primitive(.eltwiseBackward, [function.rawValue, x.count, x.dtype.code]) { engine in
            var operation = dnnl_eltwise_desc_t()
            var (gradients, data) = (layout.descriptor, layout.descriptor)
            guard dnnl_eltwise_backward_desc_init(&operation, kind, &gradients, &data, 0, 0) == dnnl_success else {
                return nil
            }
            return OneDNN.descriptor(&operation, OneDNN.attributes(), engine)
        }
        guard let primitive else {
            throughFloat32([x, gradient], into: out) { unaryGradient(function, $0[0], gradient: $0[1], into: $1) }
            return
        }
        profiler.measure(.elementwise) {
            dnnl.execute(
                primitive,
                [
                    OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: layout, pointer: raw(x)),
                    OneDNN.Argument(role: DNNL_ARG_DIFF_DST_0, layout: layout, pointer: raw(gradient)),
                    OneDNN.Argument(role: DNNL_ARG_DIFF_SRC_0, layout: layout, pointer: raw(out)),
                ])
        }
    }

    // MARK: - Functions of two variables

    public func binary(_ function: BinaryFunction, _ a: Tensor, _ b: Tensor, into out: Tensor) {
        guard out.count > 0 else { return }
        host(out.storage).valuesChanged()
        guard a.dtype == .float32, b.dtype == .float32, out.dtype == .float32 else {
            throughFloat32([a, b], into: out) { binary(function, $0[0], $0[1], into: $1) }
            return
        }
        let plan = BroadcastPlan(a.shape, b.shape, out.shape)
        profiler.measure(.elementwise) {
            plan.run(function, floats(a), floats(b), into: floats(out))
        }
    }

    // MARK: - Reductions

    public func reduce(_ reduction: Reduction, _ x: Tensor, into out: Tensor) {
        guard out.count > 0 else { return }
        guard x.count > 0 else {
            fill(out, with: 0)
            return
        }
        guard x.dtype == .float32, out.dtype == .float32 else {
            throughFloat32([x], into: out) { reduce(reduction, $0[0], into: $1) }
            return
        }
        // Axes next to each other that are both kept or both reduced are one axis.
        var lengths: [(length: Int, reduced: Bool)] = []
        for (length, kept) in zip(x.shape, out.shape) where length != 1 {
            let reduced = kept == 1
            if let last = lengths.last, last.reduced == reduced {
                lengths[lengths.count - 1].length *= length
            } else {
                lengths.append((length, reduced))
            }
        }
        var source = x
        var shape = lengths.map(\.length)
        let reducedCount = x.count / out.count
        // (outer, reduced, inner) is done in place; anything more interleaved is brought to (kept, reduced) first.
        if lengths.filter(\.reduced).count > 1 {
            let axes = lengths.indices.filter { !lengths[$0].reduced } + lengths.indices.filter { lengths[$0].reduced }
            source = x.detached.reshape(shape).permute(axes)
            shape = [out.count, reducedCount]
            lengths = [(out.count, false), (reducedCount, true)]
        }
        let axis = lengths.firstIndex(where: \.reduced)
        let outer = axis.map { lengths[..<$0].reduce(1) { $0 * $1.length } } ?? x.count
        let inner = axis.map { lengths[($0 + 1)...].reduce(1) { $0 * $1.length } } ?? 1
        profiler.measure(.elementwise) {
            reduceRows(
                reduction, floats(source), outer: outer, reduced: reducedCount, inner: inner, into: floats(out))
        }
    }

    private func reduceRows(
        _ reduction: Reduction, _ x: UnsafeMutablePointer<Float>, outer: Int, reduced: Int, inner: Int,
        into out: UnsafeMutablePointer<Float>
    ) {
        let factor: Float = reduction == .mean ? 1 / Float(reduced) : 1
        for o in 0..<outer {
            let block = x + o * reduced * inner
            if inner == 1 {
                out[o] =
                    reduction == .maximum
                    ? Rows.maximum(block, count: reduced) : Float(Rows.sum(block, count: reduced)) * factor
                continue
            }
            let row = out + o * inner
            row.update(from: block, count: inner)
            for r in 1..<max(reduced, 1) {
                let next = block + r * inner
                if reduction == .maximum {
                    for i in 0..<inner { row[i] = max(row[i], next[i]) }
                } else {
                    for i in 0..<inner { row[i] += next[i] }
                }
            }
            if reduction == .mean { for i in 0..<inner { row[i] *= factor } }
        }
    }

    // MARK: - Optimisation

    public func sumOfSquares(_ x: Tensor) -> Double {
        let wide = x.dtype == .float32 ? x : x.detached.cast(to: .float32)
        return profiler.measure(.elementwise) { Rows.sumOfSquares(floats(wide), count: wide.count) }
    }

    public func adamW(
        parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep
    ) {
        host(parameter.storage).valuesChanged()
        let correction1 = 1 / (1 - pow(step.beta1, Float(step.step)))
        let correction2 = 1 / (1 - pow(step.beta2, Float(step.step)))
        profiler.measure(.elementwise) {
            let (p, g) = (floats(parameter), floats(gradient))
            let (m, v) = (floats(firstMoment), floats(secondMoment))
            let decay = 1 - step.learningRate * step.weightDecay
            for i in 0..<parameter.count {
                let gi = g[i] * step.gradientScale
                m[i] = step.beta1 * m[i] + (1 - step.beta1) * gi
                v[i] = step.beta2 * v[i] + (1 - step.beta2) * gi * gi
                let update = m[i] * correction1 / ((v[i] * correction2).squareRoot() + step.epsilon)
                p[i] = p[i] * decay - step.learningRate * update
            }
        }
    }
}

/// Conversions between binary32 and its upper half.
enum BFloat16 {
    /// Round to nearest, ties to even; NaN stays NaN.
    @inline(__always)
    static func bits(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
    }

    @inline(__always)
    static func value(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

    static func convert(_ source: UnsafePointer<Float>, to out: UnsafeMutablePointer<UInt16>, count: Int) {
        for i in 0..<count { out[i] = bits(source[i]) }
    }

    static func convert(_ source: UnsafePointer<UInt16>, to out: UnsafeMutablePointer<Float>, count: Int) {
        for i in 0..<count { out[i] = value(source[i]) }
    }
}

/// Sums over rows that do not depend on the vector width of the machine.
enum Rows {
    /// Sixteen running sums, so that the additions are independent; each in double precision over blocks.
    static func sum(_ x: UnsafePointer<Float>, count: Int) -> Double {
        var total = 0.0
        var i = 0
        while i < count {
            let end = min(i + 1024, count)
            var lanes = SIMD16<Float>(repeating: 0)
            while i + 16 <= end {
                lanes += UnsafeRawPointer(x + i).loadUnaligned(as: SIMD16<Float>.self)
                i += 16
            }
            var rest: Float = 0
            while i < end {
                rest += x[i]
                i += 1
            }
            total += Double(lanes.sum() + rest)
        }
        return total
    }

    static func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
        var total = 0.0
        var i = 0
        while i < count {
            let end = min(i + 1024, count)
            var lanes = SIMD16<Float>(repeating: 0)
            while i + 16 <= end {
                let v = UnsafeRawPointer(x + i).loadUnaligned(as: SIMD16<Float>.self)
                lanes += v * v
                i += 16
            }
            var rest: Float = 0
            while i < end {
                rest += x[i] * x[i]
                i += 1
            }
            total += Double(lanes.sum() + rest)
        }
        return total
    }

    static func maximum(_ x: UnsafePointer<Float>, count: Int) -> Float {
        var result = -Float.infinity
        for i in 0..<count { result = x[i] > result || x[i].isNaN ? x[i] : result }
        return result
    }
}
