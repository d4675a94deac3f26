internal import Kernels

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
        let (p, q, sizeX, sizeOut) = (raw(x), raw(out), x.dtype.byteCount, out.dtype.byteCount)
        profiler.measure(.copy) {
            if x.dtype == out.dtype {
                split(count, columns: 1) {
                    memcpy(q + $0.lowerBound * sizeX, p + $0.lowerBound * sizeX, $0.count * sizeX)
                }
            } else if x.dtype == .int32, out.dtype == .float32 {
                let (p, q) = (indices(x), floats(out))
                for i in 0..<count { q[i] = Float(p[i]) }
            } else {
                split(count, columns: 1) {
                    kernels.convert(
                        p + $0.lowerBound * sizeX, x.dtype.element, into: q + $0.lowerBound * sizeOut,
                        out.dtype.element, count: $0.count)
                }
            }
        }
    }

    public func affine(_ x: Tensor, scale: Float, offset: Float, into out: Tensor) {
        host(out.storage).valuesChanged()
        guard x.dtype == out.dtype else {
            throughFloat32([x], into: out) { affine($0[0], scale: scale, offset: offset, into: $1) }
            return
        }
        let (p, q, size) = (raw(x), raw(out), x.dtype.byteCount)
        profiler.measure(.elementwise) {
            split(out.count, columns: 1) {
                kernels.affine(
                    p + $0.lowerBound * size, scale: scale, offset: offset, into: q + $0.lowerBound * size,
                    type: x.dtype.element, count: $0.count)
            }
        }
    }

    public func accumulate(_ x: Tensor, scale: Float, into out: Tensor) {
        host(out.storage).valuesChanged()
        let (p, q, size) = (raw(x), floats(out), x.dtype.byteCount)
        profiler.measure(.elementwise) {
            split(out.count, columns: 1) {
                kernels.accumulate(
                    p + $0.lowerBound * size, scale: scale, into: q + $0.lowerBound, type: x.dtype.element,
                    count: $0.count)
            }
        }
    }

    // MARK: - Functions of one variable

    public func unary(_ function: UnaryFunction, _ x: Tensor, into out: Tensor) {
        guard out.count > 0 else { return }
        guard let kernel = function.kernel else {
            throughFloat32([x], into: out) { wide, result in
                profiler.measure(.elementwise) {
                    function.apply(floats(wide[0]), into: floats(result), count: result.count)
                }
            }
            return
        }
        let (p, q, size) = (raw(x), raw(out), x.dtype.byteCount)
        profiler.measure(.elementwise) {
            split(out.count, columns: 1) {
                kernels.unary(
                    kernel, p + $0.lowerBound * size, into: q + $0.lowerBound * size, type: x.dtype.element,
                    count: $0.count)
            }
        }
    }

    public func unaryGradient(_ function: UnaryFunction, _ x: Tensor, gradient: Tensor, into out: Tensor) {
        guard out.count > 0 else { return }
        guard let kernel = function.kernel else {
            throughFloat32([x, gradient], into: out) { wide, result in
                profiler.measure(.elementwise) {
                    function.applyGradient(
                        floats(wide[0]), gradient: floats(wide[1]), into: floats(result), count: result.count)
                }
            }
            return
        }
        let (p, g, q, size) = (raw(x), raw(gradient), raw(out), x.dtype.byteCount)
        profiler.measure(.elementwise) {
            split(out.count, columns: 1) {
                let start = $0.lowerBound * size
                kernels.unaryGradient(
                    kernel, p + start, gradient: g + start, into: q + start, type: x.dtype.element, count: $0.count)
            }
        }
    }

    // MARK: - Functions of two variables

    public func binary(_ function: BinaryFunction, _ a: Tensor, _ b: Tensor, into out: Tensor) {
        guard out.count > 0 else { return }
        host(out.storage).valuesChanged()
        guard a.dtype == out.dtype, b.dtype == out.dtype else {
            throughFloat32([a, b], into: out) { binary(function, $0[0], $0[1], into: $1) }
            return
        }
        let plan = BroadcastPlan(a.shape, b.shape, out.shape)
        let (p, q, r, size) = (raw(a), raw(b), raw(out), out.dtype.byteCount)
        let type = out.dtype.element
        profiler.measure(.elementwise) {
            plan.forEachMatrix { matrix in
                split(matrix.rows, columns: matrix.columns) { rows in
                    let first = rows.lowerBound
                    kernels.binary(
                        function.kernel,
                        BinaryOperand(
                            p + (matrix.a + first * matrix.rowStepA) * size, rowStride: matrix.rowStepA,
                            columnStride: matrix.columnStepA),
                        BinaryOperand(
                            q + (matrix.b + first * matrix.rowStepB) * size, rowStride: matrix.rowStepB,
                            columnStride: matrix.columnStepB),
                        into: r + (matrix.out + first * matrix.columns) * size, type: type, rows: rows.count,
                        columns: matrix.columns)
                }
            }
        }
    }

    // MARK: - Reductions

    public func reduce(_ reduction: Reduction, _ x: Tensor, into out: Tensor) {
        guard out.count > 0 else { return }
        guard x.count > 0 else {
            fill(out, with: 0)
            return
        }
        guard out.dtype == .float32 else {
            let wide = Tensor.uninitialized(shape: out.shape, on: self)
            reduce(reduction, x, into: wide)
            convert(wide, into: out)
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
        if reduction != .maximum, lengths.map(\.reduced) == [true, false, true] {
            sumAround(
                x, lengths.map(\.length), into: floats(out),
                scale: reduction == .mean ? 1 / Float(x.count / out.count) : 1)
            return
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
            reduceRows(reduction, source, outer: outer, reduced: reducedCount, inner: inner, into: floats(out))
        }
    }

    /// `out[c] = scale · Σ x[:, c, :]`, x of lengths (a, c, b): the gradient of a bias for each channel of images.
    private func sumAround(_ x: Tensor, _ lengths: [Int], into out: UnsafeMutablePointer<Float>, scale: Float) {
        profiler.measure(.elementwise) {
            withUnsafeTemporaryAllocation(of: Float.self, capacity: lengths[0] * lengths[1]) { sums in
                kernels.reduceRows(
                    .sum, raw(x), type: x.dtype.element, rows: sums.count, columns: lengths[2],
                    into: sums.baseAddress!)
                for c in 0..<lengths[1] {
                    out[c] = scale * (0..<lengths[0]).reduce(0) { $0 + sums[$1 * lengths[1] + c] }
                }
            }
        }
    }

    private func reduceRows(
        _ reduction: Reduction, _ x: Tensor, outer: Int, reduced: Int, inner: Int, into out: UnsafeMutablePointer<Float>
    ) {
        let (p, type, size) = (raw(x), x.dtype.element, x.dtype.byteCount)
        let mean = 1 / Float(reduced)
        if inner == 1 {
            split(outer, columns: reduced) { rows in
                let target = out + rows.lowerBound
                kernels.reduceRows(
                    reduction == .maximum ? .maximum : .sum, p + rows.lowerBound * reduced * size, type: type,
                    rows: rows.count, columns: reduced, into: target)
                if reduction == .mean { for i in 0..<rows.count { target[i] *= mean } }
            }
            return
        }
        split(outer, columns: reduced * inner) { blocks in
            for block in blocks {
                let (source, row) = (p + block * reduced * inner * size, out + block * inner)
                if reduction == .maximum {
                    kernels.convert(source, type, into: row, .float32, count: inner)
                    withUnsafeTemporaryAllocation(of: Float.self, capacity: inner) { next in
                        for r in 1..<max(reduced, 1) {
                            kernels.convert(
                                source + r * inner * size, type, into: next.baseAddress!, .float32, count: inner)
                            kernels.binary(
                                .maximum, BinaryOperand(row, rowStride: 0),
                                BinaryOperand(next.baseAddress!, rowStride: 0), into: row, type: .float32, rows: 1,
                                columns: inner)
                        }
                    }
                } else {
                    row.update(repeating: 0, count: inner)
                    kernels.addColumns(source, type: type, rows: reduced, columns: inner, into: row)
                    if reduction == .mean {
                        kernels.affine(row, scale: mean, offset: 0, into: row, type: .float32, count: inner)
                    }
                }
            }
        }
    }

    // MARK: - Optimisation

    public func sumOfSquares(_ x: Tensor, range: Range<Int>) -> Double {
        let wide = x.dtype == .float32 ? x : x.detached.cast(to: .float32)
        return profiler.measure(.elementwise) {
            kernels.sumOfSquares(floats(wide) + range.lowerBound, count: range.count)
        }
    }

    public func accumulate(_ parts: [Tensor], range: Range<Int>, into out: Tensor) {
        host(out.storage).valuesChanged()
        // The sums of a block stay in the first-level cache while the parts pass by.
        let block = 4096
        profiler.measure(.elementwise) {
            for first in stride(from: range.lowerBound, to: range.upperBound, by: block) {
                for part in parts {
                    kernels.accumulate(
                        floats(part) + first, scale: 1, into: floats(out) + first, type: .float32,
                        count: min(block, range.upperBound - first))
                }
            }
        }
    }

    public func adamW(
        parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep,
        range: Range<Int>
    ) {
        host(parameter.storage).valuesChanged()
        let numbers = AdamWNumbers(
            learningRate: step.learningRate, beta1: step.beta1, beta2: step.beta2, epsilon: step.epsilon,
            weightDecay: step.weightDecay, biasCorrection1: Float(1 - pow(Double(step.beta1), Double(step.step))),
            biasCorrection2: Float(1 - pow(Double(step.beta2), Double(step.step))), gradientScale: step.gradientScale)
        let (p, g, m, v) = (floats(parameter), floats(gradient), floats(firstMoment), floats(secondMoment))
        profiler.measure(.elementwise) {
            split(range.count, columns: 1) {
                let i = range.lowerBound + $0.lowerBound
                kernels.adamW(
                    parameter: p + i, gradient: g + i, firstMoment: m + i, secondMoment: v + i, numbers,
                    count: $0.count)
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
}
