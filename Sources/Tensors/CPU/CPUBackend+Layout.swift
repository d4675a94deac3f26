#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension CPUBackend {
    public func permute(_ x: Tensor, axes: [Int], into out: Tensor) {
        guard out.count > 0 else { return }
        // Axes that stay neighbours are one axis; a last axis that stays last is copied in one go.
        var groups: [[Int]] = []
        for axis in axes where x.shape[axis] != 1 {
            if let last = groups.last?.last, follows(axis, last, x.shape) {
                groups[groups.count - 1].append(axis)
            } else {
                groups.append([axis])
            }
        }
        let strides = OneDNN.Layout.rowMajorStrides(x.shape)
        let lengths = groups.map { $0.reduce(1) { $0 * x.shape[$1] } }
        let steps = groups.map { strides[$0.last!] }
        profiler.measure(.copy) {
            switch x.dtype.byteCount {
            case 2: StridedCopy.gather(bfloats(x), steps, into: bfloats(out), lengths)
            default: StridedCopy.gather(indices(x), steps, into: indices(out), lengths)
            }
        }
    }

    /// Whether `axis` comes right after `previous` in memory, but for axes of length 1.
    private func follows(_ axis: Int, _ previous: Int, _ shape: [Int]) -> Bool {
        axis > previous && shape[(previous + 1)..<axis].allSatisfy { $0 == 1 }
    }

    public func copyBox(_ x: Tensor, from: [Int], into out: Tensor, at to: [Int], extent: [Int]) {
        guard extent.reduce(1, *) > 0 else { return }
        let (stridesX, stridesOut) = (
            OneDNN.Layout.rowMajorStrides(x.shape), OneDNN.Layout.rowMajorStrides(out.shape)
        )
        var (startX, startOut) = (0, 0)
        for i in from.indices {
            startX += from[i] * stridesX[i]
            startOut += to[i] * stridesOut[i]
        }
        // The trailing axes that are whole on both sides are one run of memory.
        var axis = extent.count
        var run = 1
        while axis > 0 {
            axis -= 1
            run *= extent[axis]
            if extent[axis] != x.shape[axis] || extent[axis] != out.shape[axis] { break }
        }
        let outer = Array(extent[..<axis])
        let size = x.dtype.byteCount
        let (source, target) = (raw(x) + startX * size, raw(out) + startOut * size)
        profiler.measure(.copy) {
            StridedCopy.forEachOffset(outer, Array(stridesX[..<axis]), Array(stridesOut[..<axis])) { a, b in
                memcpy(target + b * size, source + a * size, run * size)
            }
        }
    }

    public func gather(_ x: Tensor, indices rows: Tensor, into out: Tensor) {
        let (groups, count, width, length) = (x.shape[0], rows.shape[1], x.shape[2] * x.dtype.byteCount, x.shape[1])
        guard out.count > 0 else { return }
        profiler.measure(.copy) {
            for g in 0..<groups {
                for k in 0..<count {
                    let row = Int(indices(rows)[g * count + k])
                    precondition(row >= 0 && row < length, "[gather] expected an index in 0..<\(length), got \(row)")
                    memcpy(raw(out) + (g * count + k) * width, raw(x) + (g * length + row) * width, width)
                }
            }
        }
    }

    public func scatterAdd(_ x: Tensor, indices rows: Tensor, into out: Tensor) {
        guard x.count > 0 else { return }
        guard x.dtype == .float32 else {
            // Sums of many rows need more bits than bfloat16 has.
            let sum = out.detached.cast(to: .float32)
            scatterAdd(x.detached.cast(to: .float32), indices: rows, into: sum)
            convert(sum, into: out)
            return
        }
        let (groups, count, width, length) = (x.shape[0], rows.shape[1], x.shape[2], out.shape[1])
        profiler.measure(.copy) {
            for g in 0..<groups {
                for k in 0..<count {
                    let row = Int(indices(rows)[g * count + k])
                    precondition(
                        row >= 0 && row < length, "[scatterAdd] expected an index in 0..<\(length), got \(row)")
                    let (p, q) = (floats(x) + (g * count + k) * width, floats(out) + (g * length + row) * width)
                    for i in 0..<width { q[i] += p[i] }
                }
            }
        }
    }
}

/// Copies between arrays with different strides.
enum StridedCopy {
    /// Writes `out` row-major with the given lengths; the steps are those of `x` along each axis.
    @inline(__always)
    static func gather<Element: BitwiseCopyable>(
        _ x: UnsafePointer<Element>, _ steps: [Int], into out: UnsafeMutablePointer<Element>, _ lengths: [Int]
    ) {
        guard let inner = lengths.last, let step = steps.last else {
            out[0] = x[0]
            return
        }
        var r = out
        let zeros = [Int](repeating: 0, count: lengths.count - 1)
        forEachOffset(Array(lengths.dropLast()), Array(steps.dropLast()), zeros) { offset, _ in
            let p = x + offset
            if step == 1 {
                r.update(from: p, count: inner)
            } else {
                for i in 0..<inner { r[i] = p[i * step] }
            }
            r += inner
        }
    }

    /// Visits all index tuples in row-major order with their offsets under two sets of strides.
    @inline(__always)
    static func forEachOffset(_ lengths: [Int], _ a: [Int], _ b: [Int], _ body: (Int, Int) -> Void) {
        var counter = [Int](repeating: 0, count: lengths.count)
        var (offsetA, offsetB) = (0, 0)
        for _ in 0..<lengths.reduce(1, *) {
            body(offsetA, offsetB)
            var axis = lengths.count - 1
            while axis >= 0 {
                counter[axis] += 1
                offsetA += a[axis]
                offsetB += b[axis]
                if counter[axis] < lengths[axis] { break }
                offsetA -= a[axis] * lengths[axis]
                offsetB -= b[axis] * lengths[axis]
                counter[axis] = 0
                axis -= 1
            }
        }
    }
}
