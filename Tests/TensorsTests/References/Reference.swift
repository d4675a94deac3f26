import Foundation

/// Definitions of the operations as their textbooks give them, one element at a time.
enum Reference {
    static func gelu(_ x: Double) -> Double { 0.5 * x * (1 + erf(x / 2.0.squareRoot())) }

    static func huber(_ x: Double) -> Double { Swift.abs(x) <= 1 ? x * x / 2 : Swift.abs(x) - 0.5 }

    /// x (…, K), weight (N, K), bias (N).
    static func linear(_ x: Dense, _ weight: Dense, _ bias: Dense?) -> Dense {
        let (n, k) = (weight.shape[0], weight.shape[1])
        let rows = x.reshape([x.values.count / k, k])
        let y = Dense([rows.shape[0], n]) { i in
            (0..<k).reduce(bias.map { $0[i[1]] } ?? 0) { $0 + rows[i[0], $1] * weight[i[1], $1] }
        }
        return y.reshape(Array(x.shape.dropLast()) + [n])
    }

    /// Matrices in the last two axes, equal leading axes.
    static func matmul(_ a: Dense, _ b: Dense) -> Dense {
        let (m, k, n) = (a.shape[a.shape.count - 2], a.shape.last!, b.shape.last!)
        let batch = Array(a.shape.dropLast(2))
        return Dense(batch + [m, n]) { index in
            let head = Array(index.dropLast(2))
            let (i, j) = (index[index.count - 2], index.last!)
            return (0..<k).reduce(0) { $0 + a[head + [i, $1]] * b[head + [$1, j]] }
        }
    }

    static func transposed(_ a: Dense) -> Dense {
        var axes = Array(0..<a.shape.count)
        axes.swapAt(axes.count - 1, axes.count - 2)
        return a.permute(axes)
    }

    static func softmax(_ x: [Double]) -> [Double] {
        let powers = x.map { exp($0 - x.max()!) }
        return powers.map { $0 / powers.reduce(0, +) }
    }

    static func layerNorm(_ x: Dense, _ weight: Dense?, _ bias: Dense?, epsilon: Double) -> Dense {
        x.rows { row in
            let mean = row.reduce(0, +) / Double(row.count)
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
            return row.enumerated().map { i, value in
                (value - mean) / (variance + epsilon).squareRoot() * (weight?[i] ?? 1) + (bias?[i] ?? 0)
            }
        }
    }

    /// qkv (B, N, 3, H, d).
    static func attention(_ qkv: Dense) -> Dense {
        let (b, n, h, d) = (qkv.shape[0], qkv.shape[1], qkv.shape[3], qkv.shape[4])
        var out = Dense([b, n, h, d]) { _ in 0 }
        for batch in 0..<b {
            for head in 0..<h {
                for i in 0..<n {
                    let scores = (0..<n).map { j in
                        (0..<d).reduce(0.0) { $0 + qkv[batch, i, 0, head, $1] * qkv[batch, j, 1, head, $1] }
                            / Double(d).squareRoot()
                    }
                    for (j, p) in softmax(scores).enumerated() {
                        for c in 0..<d { out[[batch, i, head, c]] += p * qkv[batch, j, 2, head, c] }
                    }
                }
            }
        }
        return out.reshape([b, n, h * d])
    }

    static func conv2d(_ x: Dense, _ weight: Dense, _ bias: Dense?, stride: Int, padding: Int) -> Dense {
        let (height, width) = (x.shape[2], x.shape[3])
        let (kh, kw) = (weight.shape[2], weight.shape[3])
        return Dense([
            x.shape[0], weight.shape[0], (height + 2 * padding - kh) / stride + 1,
            (width + 2 * padding - kw) / stride + 1,
        ]) { index in
            var sum = bias?[index[1]] ?? 0
            for c in 0..<x.shape[1] {
                for dy in 0..<kh {
                    for dx in 0..<kw {
                        let (row, column) = (index[2] * stride + dy - padding, index[3] * stride + dx - padding)
                        guard row >= 0, row < height, column >= 0, column < width else { continue }
                        sum += x[index[0], c, row, column] * weight[index[1], c, dy, dx]
                    }
                }
            }
            return sum
        }
    }

    /// Every input pixel paints the kernel into the result. weight (C, O, kh, kw).
    static func convTransposed2d(
        _ x: Dense, _ weight: Dense, _ bias: Dense?, stride: Int, padding: Int, outputPadding: Int
    ) -> Dense {
        let (kh, kw) = (weight.shape[2], weight.shape[3])
        let height = (x.shape[2] - 1) * stride - 2 * padding + kh + outputPadding
        let width = (x.shape[3] - 1) * stride - 2 * padding + kw + outputPadding
        var out = Dense([x.shape[0], weight.shape[1], height, width]) { bias?[$0[1]] ?? 0 }
        for index in Dense.allIndices(x.shape) {
            for o in 0..<weight.shape[1] {
                for dy in 0..<kh {
                    for dx in 0..<kw {
                        let (row, column) = (index[2] * stride + dy - padding, index[3] * stride + dx - padding)
                        guard row >= 0, row < height, column >= 0, column < width else { continue }
                        out[[index[0], o, row, column]] += x[index] * weight[index[1], o, dy, dx]
                    }
                }
            }
        }
        return out
    }

    static func pool(_ x: Dense, window: Int, stride: Int, padding: Int, _ body: ([Double]) -> Double) -> Dense {
        let (height, width) = (x.shape[2], x.shape[3])
        return Dense([
            x.shape[0], x.shape[1], (height + 2 * padding - window) / stride + 1,
            (width + 2 * padding - window) / stride + 1,
        ]) { index in
            var cells: [Double] = []
            for dy in 0..<window {
                for dx in 0..<window {
                    let (row, column) = (index[2] * stride + dy - padding, index[3] * stride + dx - padding)
                    guard row >= 0, row < height, column >= 0, column < width else { continue }
                    cells.append(x[index[0], index[1], row, column])
                }
            }
            return body(cells)
        }
    }

    /// Samples a line at a position with a kernel of the given half-width, the edge repeated.
    static func resize(_ x: Dense, height: Int, width: Int, cubic: Bool) -> Dense {
        let (h, w) = (x.shape[x.shape.count - 2], x.shape.last!)
        func taps(_ i: Int, _ length: Int, _ newLength: Int) -> [(Int, Double)] {
            var position = (Double(i) + 0.5) * Double(length) / Double(newLength) - 0.5
            if !cubic { position = max(0, position) }
            let base = Int(position.rounded(.down))
            return (-1...2).map { step in
                let distance = Swift.abs(position - Double(base + step))
                return (min(length - 1, max(0, base + step)), cubic ? keys(distance) : max(0, 1 - distance))
            }
        }
        return Dense(Array(x.shape.dropLast(2)) + [height, width]) { index in
            let head = Array(index.dropLast(2))
            var sum = 0.0
            for (row, a) in taps(index[index.count - 2], h, height) {
                for (column, b) in taps(index.last!, w, width) { sum += a * b * x[head + [row, column]] }
            }
            return sum
        }
    }

    /// Keys' cubic convolution kernel (1981, doi:10.1109/TASSP.1981.1163711) with a = −0.75.
    private static func keys(_ x: Double) -> Double {
        let a = -0.75
        if x <= 1 { return (a + 2) * x * x * x - (a + 3) * x * x + 1 }
        return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0
    }
}
