import Foundation

/// Convolution of planes of any size with finite kernels, by Fourier transforms of overlapping blocks (overlap-save).
///
/// Outside the plane its edge pixels are mirrored.
public enum PlaneFilter {
    /// A square of odd side with its centre in the middle.
    public struct Kernel: Sendable, Equatable {
        public let radius: Int
        /// (2 · radius + 1)², row by row.
        public let values: [Float]

        public init(radius: Int, values: [Float]) {
            precondition(values.count == (2 * radius + 1) * (2 * radius + 1), "[Kernel] expected an odd square")
            self.radius = radius
            self.values = values
        }
    }

    /// The index inside 0 ..< count that a mirror at the edge pixels shows at an index.
    static func mirrored(_ index: Int, _ count: Int) -> Int {
        guard count > 1 else { return 0 }
        let period = 2 * (count - 1)
        let place = ((index % period) + period) % period
        return place < count ? place : period - place
    }

    /// The plane convolved with two kernels of the same radius at once: one is the real, the other the imaginary part.
    public static func convolve(
        _ plane: [Float], width: Int, height: Int, with a: Kernel, and b: Kernel
    ) -> (a: [Float], b: [Float]) {
        precondition(plane.count == width * height && a.radius == b.radius, "[convolve] expected kernels of one radius")
        let radius = a.radius
        let side = FourierTransform.side(atLeast: min(256, max(width, height) + 2 * radius))
        precondition(side > 2 * radius, "[convolve] expected a kernel smaller than \(side) pixels")
        let transform = FourierTransform(side: side)
        var kernel = FourierTransform.Plane(real: [Float](repeating: 0, count: side * side))
        for y in -radius...radius {
            for x in -radius...radius {
                let to = ((y + side) % side) * side + (x + side) % side
                let from = (y + radius) * (2 * radius + 1) + x + radius
                kernel.real[to] = a.values[from]
                kernel.imaginary[to] = b.values[from]
            }
        }
        let spectrum = transform.forward(kernel)
        var (first, second) = (plane, plane)
        let step = side - 2 * radius
        for top in stride(from: 0, to: height, by: step) {
            for left in stride(from: 0, to: width, by: step) {
                var block = [Float](repeating: 0, count: side * side)
                let columns = (0..<side).map { mirrored(left - radius + $0, width) }
                for y in 0..<side {
                    let row = mirrored(top - radius + y, height) * width
                    for x in 0..<side { block[y * side + x] = plane[row + columns[x]] }
                }
                let result = transform.inverse(transform.forward(.init(real: block)) * spectrum)
                for y in 0..<min(step, height - top) {
                    for x in 0..<min(step, width - left) {
                        let (from, to) = ((y + radius) * side + x + radius, (top + y) * width + left + x)
                        first[to] = result.real[from]
                        second[to] = result.imaginary[from]
                    }
                }
            }
        }
        return (first, second)
    }

    /// The plane smoothed by a Gaussian, along rows and columns; cut at 3 σ.
    public static func smooth(_ plane: [Float], width: Int, height: Int, sigma: Float) -> [Float] {
        let radius = Int((3 * sigma).rounded(.up))
        var weights = (-radius...radius).map { exp(-0.5 * Float($0 * $0) / (sigma * sigma)) }
        let sum = weights.reduce(0, +)
        weights = weights.map { $0 / sum }
        var rows = plane
        let places = (-radius..<width + radius).map { mirrored($0, width) }
        for y in 0..<height {
            let start = y * width
            for x in 0..<width {
                var value: Float = 0
                for k in 0...2 * radius { value += weights[k] * plane[start + places[x + k]] }
                rows[start + x] = value
            }
        }
        var result = [Float](repeating: 0, count: plane.count)
        for y in 0..<height {
            for k in -radius...radius {
                let (weight, from) = (weights[k + radius], mirrored(y + k, height) * width)
                for x in 0..<width { result[y * width + x] += weight * rows[from + x] }
            }
        }
        return result
    }
}
