/// Loops over the planes of images for the cases that networks are made of: windows of 2 × 2 side by side, and enlargement by a whole
/// factor. `CPUBackend+Images.swift` has the general ones, of which these are the special case.
enum PlaneLoops {
    /// Whether windows are 2 × 2, side by side, and all inside the image.
    static func areQuads(_ geometry: ConvolutionGeometry) -> Bool {
        geometry.kernelHeight == 2 && geometry.kernelWidth == 2 && geometry.stride == 2 && geometry.padding == 0
    }

    /// Visits pairs of rows: offsets of the upper row of the image and of the row of the result.
    @inline(__always)
    private static func forEachPair(_ shape: [Int], _ body: (_ upper: Int, _ result: Int, _ columns: Int) -> Void) {
        let (height, width) = (shape[2], shape[3])
        let (rows, columns) = (height / 2, width / 2)
        for plane in 0..<(shape[0] * shape[1]) {
            for y in 0..<rows { body((plane * height + 2 * y) * width, (plane * rows + y) * columns, columns) }
        }
    }

    /// Maximum or mean of quads of x with a shape (B, C, H, W).
    static func pool(
        _ pooling: Pooling, _ x: UnsafePointer<Float>, _ shape: [Int], into out: UnsafeMutablePointer<Float>
    ) {
        let width = shape[3]
        forEachPair(shape) { upper, result, columns in
            let (p, q, r) = (x + upper, x + upper + width, out + result)
            if pooling == .maximum {
                for i in 0..<columns {
                    let (a, b, c, d) = (p[2 * i], p[2 * i + 1], q[2 * i], q[2 * i + 1])
                    let (above, below) = (b > a ? b : a, d > c ? d : c)
                    r[i] = below > above ? below : above
                }
            } else {
                for i in 0..<columns { r[i] = 0.25 * (p[2 * i] + p[2 * i + 1] + q[2 * i] + q[2 * i + 1]) }
            }
        }
    }

    /// The gradient of ``pool(_:_:_:into:)``, added to zeros; that of a maximum goes to the first.
    static func poolGradient(
        _ pooling: Pooling, _ x: UnsafePointer<Float>, _ shape: [Int], gradient: UnsafePointer<Float>,
        into out: UnsafeMutablePointer<Float>
    ) {
        let width = shape[3]
        forEachPair(shape) { upper, result, columns in
            let (g, r, s) = (gradient + result, out + upper, out + upper + width)
            if pooling == .maximum {
                let (p, q) = (x + upper, x + upper + width)
                for i in 0..<columns {
                    let (a, b, c, d) = (p[2 * i], p[2 * i + 1], q[2 * i], q[2 * i + 1])
                    let (above, below) = (b > a ? b : a, d > c ? d : c)
                    let (isBelow, isRight) = (below > above, below > above ? d > c : b > a)
                    r[2 * i] = isBelow || isRight ? 0 : g[i]
                    r[2 * i + 1] = !isBelow && isRight ? g[i] : 0
                    s[2 * i] = isBelow && !isRight ? g[i] : 0
                    s[2 * i + 1] = isBelow && isRight ? g[i] : 0
                }
            } else {
                for i in 0..<columns {
                    let share = 0.25 * g[i]
                    (r[2 * i], r[2 * i + 1], s[2 * i], s[2 * i + 1]) = (share, share, share, share)
                }
            }
        }
    }

    /// Repeats each element of planes (height, width) `rows` times down and `columns` times across.
    @inline(__always)
    static func enlarge<Element: BitwiseCopyable>(
        _ x: UnsafePointer<Element>, planes: Int, height: Int, width: Int, rows: Int, columns: Int,
        into out: UnsafeMutablePointer<Element>
    ) {
        let wide = width * columns
        for line in 0..<(planes * height) {
            let (p, r) = (x + line * width, out + line * rows * wide)
            if columns == 2 {
                for i in 0..<width { (r[2 * i], r[2 * i + 1]) = (p[i], p[i]) }
            } else {
                for i in 0..<width { for k in 0..<columns { r[i * columns + k] = p[i] } }
            }
            for copy in 1..<max(rows, 1) { (r + copy * wide).update(from: r, count: wide) }
        }
    }

    /// The gradient of ``enlarge(_:planes:height:width:rows:columns:into:)``: sums of blocks.
    static func enlargeGradient(
        _ gradient: UnsafePointer<Float>, planes: Int, height: Int, width: Int, rows: Int, columns: Int,
        into out: UnsafeMutablePointer<Float>
    ) {
        let wide = width * columns
        for line in 0..<(planes * height) {
            let r = out + line * width
            r.update(repeating: 0, count: width)
            for row in 0..<rows {
                let g = gradient + (line * rows + row) * wide
                if columns == 2 {
                    for i in 0..<width { r[i] += g[2 * i] + g[2 * i + 1] }
                } else {
                    for i in 0..<width { for k in 0..<columns { r[i] += g[i * columns + k] } }
                }
            }
        }
    }
}
