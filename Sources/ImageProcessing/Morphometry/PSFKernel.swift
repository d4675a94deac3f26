import Foundation

/// A PSF as a small square of weights that add up to 1.
///
/// Pictures wider than 33 pixels are cut where all but a thousandth of their light is inside, at most 24 pixels from the middle. Models
/// are convolved near their centre only, within three radii of a small kernel: further out a galaxy is faint and even.
struct PSFKernel {
    /// The kernel has 2 radius + 1 pixels a side.
    let radius: Int
    private let weights: [Float]

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
        self.radius = radius
        var weights: [Float] = []
        for y in (cy - radius)...(cy + radius) {
            for x in (cx - radius)...(cx + radius) {
                weights.append(psf[x, y].isFinite ? Float(psf[x, y] / inside) : 0)
            }
        }
        self.weights = weights
    }

    /// Convolves the part of a plane around a place; what lies outside of the plane is taken as its border.
    func convolve(_ plane: inout [Float], width: Int, height: Int, aroundX x: Double, y: Double) {
        let side = 2 * radius + 1
        guard radius > 0, x.isFinite, y.isFinite, abs(x) < 1e6, abs(y) < 1e6 else { return }
        let reach = radius <= 12 ? max(3 * radius, 8) : max(36, 2 * radius)
        let columns = max(0, Int(x) - reach)..<min(width, Int(x) + reach + 1)
        let rows = max(0, Int(y) - reach)..<min(height, Int(y) + reach + 1)
        guard !columns.isEmpty, !rows.isEmpty else { return }
        // A padded copy, so that the loops have no border.
        let paddedWidth = columns.count + 2 * radius
        var padded = [Float](repeating: 0, count: paddedWidth * (rows.count + 2 * radius))
        for j in 0..<(rows.count + 2 * radius) {
            let row = min(max(rows.lowerBound + j - radius, 0), height - 1)
            for i in 0..<paddedWidth {
                padded[j * paddedWidth + i] =
                    plane[row * width + min(max(columns.lowerBound + i - radius, 0), width - 1)]
            }
        }
        var line = [Float](repeating: 0, count: columns.count)
        padded.withUnsafeBufferPointer { padded in
            line.withUnsafeMutableBufferPointer { line in
                weights.withUnsafeBufferPointer { weights in
                    for row in 0..<rows.count {
                        for i in line.indices { line[i] = 0 }
                        for v in 0..<side {
                            let from = (row + v) * paddedWidth
                            for u in 0..<side {
                                // A convolution turns its kernel round.
                                let weight = weights[(side - 1 - v) * side + side - 1 - u]
                                for i in 0..<line.count { line[i] += weight * padded[from + u + i] }
                            }
                        }
                        let to = (rows.lowerBound + row) * width + columns.lowerBound
                        for i in line.indices { plane[to + i] = line[i] }
                    }
                }
            }
        }
    }
}
