internal import Kernels

extension CPUBackend {
    // MARK: - Layer norm

    public func layerNorm(
        _ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float, into out: Tensor, statistics: Tensor?
    ) {
        guard out.count > 0 else { return }
        let width = x.shape[x.rank - 1]
        let rows = x.count / width
        let (w, b, saved) = (weight.map(floats), bias.map(floats), statistics.map(floats))
        let (p, q, sizeX, sizeOut) = (raw(x), raw(out), x.dtype.byteCount, out.dtype.byteCount)
        func normalize(_ range: Range<Int>, into target: UnsafeMutableRawPointer) {
            kernels.layerNorm(
                p + range.lowerBound * width * sizeX, weight: w, bias: b, epsilon: epsilon, into: target,
                mean: saved.map { $0 + range.lowerBound }, inverseDeviation: saved.map { $0 + rows + range.lowerBound },
                type: x.dtype.element, rows: range.count, columns: width)
        }
        profiler.measure(.normalization) {
            split(rows, columns: width) { range in
                guard x.dtype != out.dtype else {
                    normalize(range, into: q + range.lowerBound * width * sizeOut)
                    return
                }
                // A few rows at a time are normalised in the first-level cache and converted from there.
                let step = max(1, 8192 / width)
                withUnsafeTemporaryAllocation(byteCount: step * width * sizeX, alignment: 64) { buffer in
                    var first = range.lowerBound
                    while first < range.upperBound {
                        let part = first..<min(range.upperBound, first + step)
                        normalize(part, into: buffer.baseAddress!)
                        kernels.convert(
                            buffer.baseAddress!, x.dtype.element, into: q + first * width * sizeOut, out.dtype.element,
                            count: part.count * width)
                        first = part.upperBound
                    }
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
        guard x.dtype == gradient.dtype, x.dtype == xGradient.dtype else {
            throughFloat32([x, gradient], into: xGradient) {
                layerNormGradient(
                    $0[0], weight: weight, statistics: statistics, gradient: $0[1], into: $1,
                    weightGradient: weightGradient, biasGradient: biasGradient)
            }
            return
        }
        let width = x.shape[x.rank - 1]
        let rows = x.count / width
        // Each thread sums the gradients of the parameters for its own rows; the parts are then added in order, so the
        // result does not depend on which thread was first.
        let parts = pool != nil && x.count >= 1 << 15 ? threads : 1
        let sums = CPUStorage(byteCount: parts * 2 * width * 4, allocator: allocator, backend: self)
        let partial = sums.pointer.assumingMemoryBound(to: Float.self)
        let (p, g, q, size) = (raw(x), raw(gradient), raw(xGradient), x.dtype.byteCount)
        let (w, saved) = (weight.map(floats), floats(statistics))
        profiler.measure(.normalization) {
            partial.update(repeating: 0, count: parts * 2 * width)
            func run(_ part: Int) {
                let range = (part * rows / parts)..<((part + 1) * rows / parts)
                let start = range.lowerBound * width * size
                kernels.layerNormGradient(
                    p + start, gradient: g + start, weight: w, mean: saved + range.lowerBound,
                    inverseDeviation: saved + rows + range.lowerBound, into: q + start,
                    weightGradient: partial + part * 2 * width, biasGradient: partial + (part * 2 + 1) * width,
                    type: x.dtype.element, rows: range.count, columns: width)
            }
            if parts > 1, let pool { pool.parallelFor(parts, run) } else { run(0) }
            for part in 0..<parts {
                for (target, offset) in [(weightGradient, 0), (biasGradient, 1)] {
                    guard let target else { continue }
                    kernels.accumulate(
                        partial + (part * 2 + offset) * width, scale: 1, into: floats(target), type: .float32,
                        count: width)
                }
            }
        }
        withExtendedLifetime(sums) {}
    }

    // MARK: - Softmax

    public func softmax(_ x: Tensor, logarithmic: Bool, into out: Tensor) {
        guard out.count > 0 else { return }
        let width = x.shape[x.rank - 1]
        let (p, q, type, size) = (raw(x), raw(out), x.dtype.element, x.dtype.byteCount)
        profiler.measure(.normalization) {
            split(x.count / width, columns: width) { rows in
                let start = rows.lowerBound * width * size
                kernels.softmaxRows(
                    p + start, logarithmic: logarithmic, into: q + start, type: type, rows: rows.count, columns: width)
            }
        }
    }

    public func softmaxGradient(_ y: Tensor, gradient: Tensor, logarithmic: Bool, into out: Tensor) {
        guard out.count > 0 else { return }
        let width = y.shape[y.rank - 1]
        let (p, g, q, type, size) = (raw(y), raw(gradient), raw(out), y.dtype.element, y.dtype.byteCount)
        profiler.measure(.normalization) {
            split(y.count / width, columns: width) { rows in
                let start = rows.lowerBound * width * size
                kernels.softmaxRowsGradient(
                    p + start, gradient: g + start, logarithmic: logarithmic, into: q + start, type: type,
                    rows: rows.count, columns: width)
            }
        }
    }
}
