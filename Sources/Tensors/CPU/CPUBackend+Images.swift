extension CPUBackend {
    // MARK: - Pooling

    public func pool(_ pooling: Pooling, _ x: Tensor, geometry: ConvolutionGeometry, into out: Tensor) {
        guard x.dtype == .float32 else {
            throughFloat32([x], into: out) { pool(pooling, $0[0], geometry: geometry, into: $1) }
            return
        }
        if PlaneLoops.areQuads(geometry) {
            profiler.measure(.elementwise) { PlaneLoops.pool(pooling, floats(x), x.shape, into: floats(out)) }
            return
        }
        profiler.measure(.elementwise) {
            let result = floats(out)
            var i = 0
            forEachWindow(x.shape, out.shape, geometry) { plane, window in
                let p = floats(x) + plane
                switch pooling {
                case .maximum:
                    var best = -Float.infinity
                    window.forEach { best = max(best, p[$0]) }
                    result[i] = best
                case .average:
                    var sum: Float = 0
                    window.forEach { sum += p[$0] }
                    result[i] = sum / Float(window.count)
                }
                i += 1
            }
        }
    }

    public func poolGradient(
        _ pooling: Pooling, _ x: Tensor, gradient: Tensor, geometry: ConvolutionGeometry, into out: Tensor
    ) {
        guard x.dtype == .float32 else {
            throughFloat32([x, gradient], into: out) {
                poolGradient(pooling, $0[0], gradient: $0[1], geometry: geometry, into: $1)
            }
            return
        }
        fill(out, with: 0)
        if PlaneLoops.areQuads(geometry) {
            profiler.measure(.elementwise) {
                PlaneLoops.poolGradient(pooling, floats(x), x.shape, gradient: floats(gradient), into: floats(out))
            }
            return
        }
        profiler.measure(.elementwise) {
            let g = floats(gradient)
            var i = 0
            forEachWindow(x.shape, gradient.shape, geometry) { plane, window in
                let (p, q) = (floats(x) + plane, floats(out) + plane)
                switch pooling {
                case .maximum:
                    // To the first maximum, as PyTorch does.
                    var best = -1
                    window.forEach { if best < 0 || p[$0] > p[best] { best = $0 } }
                    q[best] += g[i]
                case .average:
                    let share = g[i] / Float(window.count)
                    window.forEach { q[$0] += share }
                }
                i += 1
            }
        }
    }

    /// The cells of one window that lie inside the image.
    private struct Window {
        var rows: Range<Int>
        var columns: Range<Int>
        var width: Int

        var count: Int { rows.count * columns.count }

        @inline(__always)
        func forEach(_ body: (Int) -> Void) {
            for y in rows { for x in columns { body(y * width + x) } }
        }
    }

    @inline(__always)
    private func forEachWindow(
        _ shape: [Int], _ result: [Int], _ geometry: ConvolutionGeometry, _ body: (_ plane: Int, Window) -> Void
    ) {
        let (height, width) = (shape[2], shape[3])
        for plane in 0..<(shape[0] * shape[1]) {
            for y in 0..<result[2] {
                let top = y * geometry.stride - geometry.padding
                let rows = max(0, top)..<min(height, top + geometry.kernelHeight)
                for x in 0..<result[3] {
                    let left = x * geometry.stride - geometry.padding
                    let columns = max(0, left)..<min(width, left + geometry.kernelWidth)
                    body(plane * height * width, Window(rows: rows, columns: columns, width: width))
                }
            }
        }
    }

    // MARK: - Resizing

    public func resize(_ x: Tensor, mode: ResizeMode, into out: Tensor) {
        guard out.count > 0 else { return }
        if let factors = wholeFactors(from: x, to: out, mode) {
            let (h, w) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
            profiler.measure(.copy) {
                switch x.dtype {
                case .bfloat16:
                    PlaneLoops.enlarge(
                        bfloats(x), planes: x.count / (h * w), height: h, width: w, rows: factors.rows,
                        columns: factors.columns, into: bfloats(out))
                default:
                    PlaneLoops.enlarge(
                        floats(x), planes: x.count / (h * w), height: h, width: w, rows: factors.rows,
                        columns: factors.columns, into: floats(out))
                }
            }
            return
        }
        guard x.dtype == .float32 else {
            throughFloat32([x], into: out) { resize($0[0], mode: mode, into: $1) }
            return
        }
        let (h, w) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
        let (height, width) = (out.shape[out.rank - 2], out.shape[out.rank - 1])
        let (vertical, horizontal) = (ResizeTaps(h, height, mode), ResizeTaps(w, width, mode))
        profiler.measure(.elementwise) {
            withUnsafeTemporaryAllocation(of: Float.self, capacity: h * width) { rows in
                for plane in 0..<(x.count / (h * w)) {
                    let (p, q) = (floats(x) + plane * h * w, floats(out) + plane * height * width)
                    for y in 0..<h {
                        for i in 0..<width {
                            var sum: Float = 0
                            for t in horizontal.range(i) {
                                sum += horizontal.weights[t] * p[y * w + horizontal.indices[t]]
                            }
                            rows[y * width + i] = sum
                        }
                    }
                    for y in 0..<height {
                        let row = q + y * width
                        row.update(repeating: 0, count: width)
                        for t in vertical.range(y) {
                            let (factor, source) = (vertical.weights[t], vertical.indices[t] * width)
                            for i in 0..<width { row[i] += factor * rows[source + i] }
                        }
                    }
                }
            }
        }
    }

    /// How often each pixel is repeated, where resizing does nothing else.
    private func wholeFactors(from small: Tensor, to large: Tensor, _ mode: ResizeMode) -> (rows: Int, columns: Int)? {
        let (h, w) = (small.shape[small.rank - 2], small.shape[small.rank - 1])
        let (height, width) = (large.shape[large.rank - 2], large.shape[large.rank - 1])
        guard mode == .nearest, height % h == 0, width % w == 0, small.dtype == large.dtype else { return nil }
        return (height / h, width / w)
    }

    public func resizeGradient(_ gradient: Tensor, mode: ResizeMode, into out: Tensor) {
        guard out.count > 0 else { return }
        guard gradient.dtype == .float32 else {
            throughFloat32([gradient], into: out) { resizeGradient($0[0], mode: mode, into: $1) }
            return
        }
        let (h, w) = (out.shape[out.rank - 2], out.shape[out.rank - 1])
        if let factors = wholeFactors(from: out, to: gradient, mode) {
            profiler.measure(.elementwise) {
                PlaneLoops.enlargeGradient(
                    floats(gradient), planes: out.count / (h * w), height: h, width: w, rows: factors.rows,
                    columns: factors.columns, into: floats(out))
            }
            return
        }
        let (height, width) = (gradient.shape[gradient.rank - 2], gradient.shape[gradient.rank - 1])
        let (vertical, horizontal) = (ResizeTaps(h, height, mode), ResizeTaps(w, width, mode))
        fill(out, with: 0)
        profiler.measure(.elementwise) {
            withUnsafeTemporaryAllocation(of: Float.self, capacity: h * width) { rows in
                for plane in 0..<(out.count / (h * w)) {
                    let (g, q) = (floats(gradient) + plane * height * width, floats(out) + plane * h * w)
                    rows.update(repeating: 0)
                    for y in 0..<height {
                        for t in vertical.range(y) {
                            let (factor, target) = (vertical.weights[t], vertical.indices[t] * width)
                            for i in 0..<width { rows[target + i] += factor * g[y * width + i] }
                        }
                    }
                    for y in 0..<h {
                        for i in 0..<width {
                            for t in horizontal.range(i) {
                                q[y * w + horizontal.indices[t]] += horizontal.weights[t] * rows[y * width + i]
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Which pixels of a line contribute to each pixel of the resized line, and with what weight.
struct ResizeTaps {
    /// Taps of one output pixel.
    private let taps: Int
    private(set) var indices: [Int] = []
    private(set) var weights: [Float] = []

    func range(_ output: Int) -> Range<Int> { (output * taps)..<((output + 1) * taps) }

    /// Pixel centres at (i + ½)/length; the edge is repeated outside. The cubic kernel is Keys' with a = −¾.
    init(_ length: Int, _ newLength: Int, _ mode: ResizeMode) {
        taps = mode == .nearest ? 1 : (mode == .bilinear ? 2 : 4)
        indices.reserveCapacity(newLength * taps)
        weights.reserveCapacity(newLength * taps)
        // Single precision, as the definition compared with computes the positions.
        let scale = Float(length) / Float(newLength)
        for i in 0..<newLength {
            if mode == .nearest {
                indices.append(min(length - 1, Int(Float(i) * scale)))
                weights.append(1)
                continue
            }
            var position = scale * (Float(i) + 0.5) - 0.5
            if mode == .bilinear { position = max(0, position) }
            let first = Int(position.rounded(.down))
            let t = position - Float(first)
            let kernel =
                mode == .bilinear
                ? [1 - t, t]
                : [Self.outer(t + 1), Self.inner(t), Self.inner(1 - t), Self.outer(2 - t)]
            for (k, weight) in kernel.enumerated() {
                indices.append(min(length - 1, max(0, first + k - (mode == .bilinear ? 0 : 1))))
                weights.append(weight)
            }
        }
    }

    private static let a: Float = -0.75

    /// |x| ≤ 1.
    private static func inner(_ x: Float) -> Float { ((a + 2) * x - (a + 3)) * x * x + 1 }

    /// 1 < |x| < 2.
    private static func outer(_ x: Float) -> Float { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
}
