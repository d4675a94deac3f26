public import Tensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Learned positions on a square grid of patches, resized for images of another size.
///
/// Bicubic interpolation is linear in the positions, so it is a matrix: the Kronecker product of one small matrix for
/// rows and one for columns. As a product it runs on any backend and has a derivative.
public struct PositionEmbedding: Module {
    /// How projects resize positions; the three differ by up to a few percent.
    public enum Interpolation: String, Sendable, Codable {
        /// Cubic convolution with a = −0.5, its kernel widened when shrinking: timm, and DINOv2 with registers.
        case antialiased
        /// Cubic convolution with a = −0.75: Hugging Face's Dinov2Model.
        case bicubic
        /// As `bicubic`, with the scale (n + 0.1)/n₀ instead of n/n₀: DINOv2 without registers.
        case bicubicWithOffset
    }

    /// (1, prefix + grid², width): positions of prefix tokens, then of patches row by row.
    public var positions: Tensor
    public let interpolation: Interpolation
    /// Patches on a side of the grid the positions were learned for.
    public let gridSize: Int
    /// Prefix tokens that have positions.
    public let prefixCount: Int

    public init(
        gridSize: Int, prefixCount: Int, width: Int, interpolation: Interpolation, from source: ParameterSource
    ) {
        self.gridSize = gridSize
        self.prefixCount = prefixCount
        self.interpolation = interpolation
        positions = source(
            "pos_embed", [1, prefixCount + gridSize * gridSize, width],
            .values {
                [Float](repeating: 0, count: prefixCount * width) + Self.sineCosine(gridSize: gridSize, width: width)
            })
    }

    /// Positions of the prefix tokens, (1, prefixCount, width), or nil if they have none.
    public var prefix: Tensor? { prefixCount > 0 ? positions.slice(axis: 1, 0..<prefixCount) : nil }

    /// Positions of rows × columns patches, (1, rows·columns, width).
    public func patches(rows: Int, columns: Int) -> Tensor {
        let grid = positions.slice(axis: 1, prefixCount..<positions.shape[1])
        return Self.resize(grid, from: gridSize, rows: rows, columns: columns, interpolation)
    }

    /// Positions that were learned for another grid, on this one; nil where they are not (1, prefix + n², width).
    func resized(_ other: Tensor) -> Tensor? {
        guard other.rank == 3, other.shape[0] == 1, other.shape[2] == positions.shape[2], other.shape[1] > prefixCount
        else { return nil }
        let patches = other.shape[1] - prefixCount
        let side = Int(Double(patches).squareRoot().rounded())
        guard side * side == patches else { return nil }
        let grid = Self.resize(
            other.slice(axis: 1, prefixCount..<other.shape[1]), from: side, rows: gridSize, columns: gridSize,
            interpolation)
        return prefixCount > 0 ? Tensor.concat([other.slice(axis: 1, 0..<prefixCount), grid], axis: 1) : grid
    }

    private static func resize(
        _ grid: Tensor, from side: Int, rows: Int, columns: Int, _ interpolation: Interpolation
    ) -> Tensor {
        if rows == side && columns == side { return grid }
        let matrix = kronecker(
            matrix(from: side, to: rows, interpolation), matrix(from: side, to: columns, interpolation),
            (rows, side), (columns, side))
        let operation = Tensor(matrix, shape: [rows * columns, side * side], on: grid.backend)
        return operation.matmul(grid.reshape([side * side, -1])).reshape([1, rows * columns, -1])
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "pos_embed", .embedding), &positions)
    }

    // MARK: - Interpolation

    /// The (to × from) matrix that resizes one axis, as PyTorch's `interpolate` does with pixel centres at (i + ½).
    static func matrix(from: Int, to: Int, _ interpolation: Interpolation) -> [Float] {
        let offset = interpolation == .bicubicWithOffset ? 0.1 : 0
        let step = Double(from) / (Double(to) + offset)
        let antialiased = interpolation == .antialiased
        let widening = antialiased ? max(step, 1) : 1
        let a = antialiased ? -0.5 : -0.75
        var matrix = [Float](repeating: 0, count: to * from)
        for i in 0..<to {
            let centre = (Double(i) + 0.5) * step - 0.5
            let support = 2 * widening
            let first = Int((centre - support).rounded(.up))
            let last = Int((centre + support).rounded(.down))
            let weights = (first...last).map { cubic((Double($0) - centre) / widening, a) }
            if antialiased {
                // Outside the grid there is nothing: the weights inside are normalised.
                let inside = zip(first...last, weights).filter { (0..<from).contains($0.0) }
                let sum = inside.reduce(0) { $0 + $1.1 }
                for (j, weight) in inside { matrix[i * from + j] += Float(weight / sum) }
            } else {
                // The edge is repeated.
                for (j, weight) in zip(first...last, weights) {
                    matrix[i * from + min(max(j, 0), from - 1)] += Float(weight)
                }
            }
        }
        return matrix
    }

    /// The cubic convolution kernel (Keys 1981, eq. 15 for a = −½).
    private static func cubic(_ x: Double, _ a: Double) -> Double {
        let t = abs(x)
        if t < 1 { return ((a + 2) * t - (a + 3)) * t * t + 1 }
        return t < 2 ? a * (((t - 5) * t + 8) * t - 4) : 0
    }

    private static func kronecker(
        _ a: [Float], _ b: [Float], _ sizeA: (rows: Int, columns: Int), _ sizeB: (rows: Int, columns: Int)
    ) -> [Float] {
        var result = [Float](repeating: 0, count: a.count * b.count)
        let width = sizeA.columns * sizeB.columns
        for i in 0..<sizeA.rows {
            for k in 0..<sizeB.rows {
                let row = (i * sizeB.rows + k) * width
                for j in 0..<sizeA.columns where a[i * sizeA.columns + j] != 0 {
                    for l in 0..<sizeB.columns {
                        result[row + j * sizeB.columns + l] = a[i * sizeA.columns + j] * b[k * sizeB.columns + l]
                    }
                }
            }
        }
        return result
    }

    /// Sines and cosines of x in the first half of the channels and of y in the second, (grid², width): where learned
    /// positions begin (MAE, arXiv 2111.06377, section "masked autoencoder").
    static func sineCosine(gridSize: Int, width: Int) -> [Float] {
        let quarter = width / 4
        var result = [Float](repeating: 0, count: gridSize * gridSize * width)
        for y in 0..<gridSize {
            for x in 0..<gridSize {
                let start = (y * gridSize + x) * width
                for i in 0..<quarter {
                    let rate = pow(10_000, -Double(i) / Double(quarter))
                    result[start + i] = Float(sin(Double(x) * rate))
                    result[start + quarter + i] = Float(cos(Double(x) * rate))
                    result[start + 2 * quarter + i] = Float(sin(Double(y) * rate))
                    result[start + 3 * quarter + i] = Float(cos(Double(y) * rate))
                }
            }
        }
        return result
    }
}
