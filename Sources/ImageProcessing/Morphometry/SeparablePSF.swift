import Foundation

/// A PSF as a small square of weights that add up to 1, written as a sum of products of a row and a column.
///
/// Pictures wider than 33 pixels are cut where all but a thousandth of their light is inside, at most 24 pixels from the middle. Round
/// PSFs need about four products for an error of a thousandth; one that needs more than a quarter of its side is used as it is.
/// Models are convolved near their centre only, within three radii of a small kernel: further out a galaxy is faint and even.
struct SeparablePSF {
    /// The kernel has 2 radius + 1 pixels a side.
    let radius: Int
    private let weights: [Float]
    /// The largest terms of the singular value decomposition, along columns and rows; empty where they do not suffice.
    private let terms: [(column: [Float], row: [Float])]

    /// nil for a PSF without positive light.
    init?(_ psf: Plane<Double>) {
        let (cx, cy) = (psf.width / 2, psf.height / 2)
        let largest = min(cx, cy, psf.width - 1 - cx, psf.height - 1 - cy)
        func sum(_ radius: Int, _ value: (Double) -> Double) -> Double {
            var total = 0.0
            for y in (cy - radius)...(cy + radius) {
                for x in (cx - radius)...(cx + radius) where psf[x, y].isFinite { total += value(psf[x, y]) }
            }
            return total
        }
        var radius = largest
        if radius > 16 {
            // Absolute values, because the wings of measured PSFs are noise about 0.
            let all = sum(largest, abs)
            radius = min((16...largest).first { sum($0, abs) >= 0.999 * all } ?? largest, 24)
        }
        let inside = sum(radius) { $0 }
        guard inside > 0 else { return nil }
        var weights: [Double] = []
        // A convolution turns its kernel round.
        for y in stride(from: cy + radius, through: cy - radius, by: -1) {
            for x in stride(from: cx + radius, through: cx - radius, by: -1) {
                weights.append(psf[x, y].isFinite ? psf[x, y] / inside : 0)
            }
        }
        self.radius = radius
        self.weights = weights.map { Float($0) }
        terms = Self.products(weights, side: 2 * radius + 1)
    }

    /// Products of columns and rows whose sum is the matrix but for a thousandth of its norm, by power iteration; none where more
    /// than a quarter of the side would be needed.
    private static func products(_ matrix: [Double], side: Int) -> [(column: [Float], row: [Float])] {
        var rest = matrix
        var terms: [(column: [Float], row: [Float])] = []
        let norm = matrix.reduce(0) { $0 + $1 * $1 }
        for _ in 0..<(side / 4) {
            if rest.reduce(0, { $0 + $1 * $1 }) < 1e-6 * norm { return terms }
            // From the row with the most light.
            let first = (0..<side).max {
                abs(rest[$0 * side + side / 2]) < abs(rest[$1 * side + side / 2])
            }!
            var row = Array(rest[(first * side)..<((first + 1) * side)])
            var column = [Double](repeating: 0, count: side)
            for _ in 0..<30 {
                let length = max(row.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-300)
                for x in 0..<side { row[x] /= length }
                for y in 0..<side { column[y] = (0..<side).reduce(0) { $0 + rest[y * side + $1] * row[$1] } }
                for x in 0..<side { row[x] = (0..<side).reduce(0) { $0 + rest[$1 * side + x] * column[$1] } }
                let size = max(column.reduce(0) { $0 + $1 * $1 }, 1e-300)
                for x in 0..<side { row[x] /= size }
            }
            for y in 0..<side { for x in 0..<side { rest[y * side + x] -= column[y] * row[x] } }
            terms.append((column.map { Float($0) }, row.map { Float($0) }))
        }
        return []
    }

    /// Convolves the part of a plane around a place; what lies outside of the plane is taken as its border.
    func convolve(
        _ plane: UnsafeMutableBufferPointer<Float>, width: Int, height: Int, aroundX x: Double, y: Double
    ) {
        guard radius > 0, x.isFinite, y.isFinite, abs(x) < 1e6, abs(y) < 1e6 else { return }
        let reach = radius <= 12 ? max(3 * radius, 8) : max(36, 2 * radius)
        let columns = max(0, Int(x) - reach)..<max(0, min(width, Int(x) + reach + 1))
        let rows = max(0, Int(y) - reach)..<max(0, min(height, Int(y) + reach + 1))
        guard !columns.isEmpty, !rows.isEmpty else { return }
        // A padded copy, so that the loops have no border.
        let (paddedWidth, paddedHeight) = (columns.count + 2 * radius, rows.count + 2 * radius)
        var padded = [Float](repeating: 0, count: paddedWidth * paddedHeight)
        for j in 0..<paddedHeight {
            let row = min(max(rows.lowerBound + j - radius, 0), height - 1)
            for i in 0..<paddedWidth {
                padded[j * paddedWidth + i] =
                    plane[row * width + min(max(columns.lowerBound + i - radius, 0), width - 1)]
            }
        }
        var result = [Float](repeating: 0, count: columns.count * rows.count)
        result.withUnsafeMutableBufferPointer { result in
            padded.withUnsafeBufferPointer { padded in
                if terms.isEmpty {
                    addDirect(padded, paddedWidth, result, columns.count, rows.count)
                } else {
                    addProducts(padded, paddedWidth, paddedHeight, result, columns.count, rows.count)
                }
            }
            for row in 0..<rows.count {
                let to = (rows.lowerBound + row) * width + columns.lowerBound
                for i in 0..<columns.count { plane[to + i] = result[row * columns.count + i] }
            }
        }
    }

    private func addDirect(
        _ padded: UnsafeBufferPointer<Float>, _ paddedWidth: Int, _ result: UnsafeMutableBufferPointer<Float>,
        _ width: Int, _ height: Int
    ) {
        let side = 2 * radius + 1
        for row in 0..<height {
            for v in 0..<side {
                for u in 0..<side {
                    let (weight, from) = (weights[v * side + u], (row + v) * paddedWidth + u)
                    for i in 0..<width { result[row * width + i] += weight * padded[from + i] }
                }
            }
        }
    }

    private func addProducts(
        _ padded: UnsafeBufferPointer<Float>, _ paddedWidth: Int, _ paddedHeight: Int,
        _ result: UnsafeMutableBufferPointer<Float>, _ width: Int, _ height: Int
    ) {
        let side = 2 * radius + 1
        var lines = [Float](repeating: 0, count: width * paddedHeight)
        lines.withUnsafeMutableBufferPointer { lines in
            for (column, row) in terms {
                for index in lines.indices { lines[index] = 0 }
                for y in 0..<paddedHeight {
                    for u in 0..<side {
                        let (weight, from) = (row[u], y * paddedWidth + u)
                        for i in 0..<width { lines[y * width + i] += weight * padded[from + i] }
                    }
                }
                for y in 0..<height {
                    for v in 0..<side {
                        let (weight, from) = (column[v], (y + v) * width)
                        for i in 0..<width { result[y * width + i] += weight * lines[from + i] }
                    }
                }
            }
        }
    }
}
