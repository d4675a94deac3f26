import Foundation

/// Circular convolution of square planes with symmetric kernels, by fast Fourier transforms.
///
/// Two real planes share one complex transform, one as its real and one as its imaginary part. A transform goes along
/// columns, a strip of 16 at a time, so that a butterfly is a vector instruction and a strip stays in the cache; a strip is
/// written back as rows, and two such passes are the transform in both directions.
struct PlanarConvolution: Sendable {
    /// 2ᵃ, 3 · 2ᵃ or 5 · 2ᵃ, and a multiple of 16.
    let side: Int
    private let radices: [Int]
    /// Where the input of each row comes from: the digits of its number in the mixed radix, reversed.
    private let order: [Int]
    /// e^(−2πi k / side).
    private let cosines: [Float]
    private let sines: [Float]

    private typealias Row = SIMD16<Float>
    private static let strip = 16

    init(side: Int) {
        precondition(
            side == Self.side(atLeast: side),
            "[PlanarConvolution] expected a side of 16 · 2ᵃ, 3 or 5 of it, got \(side)")
        self.side = side
        var (rest, radices) = (side, [Int]())
        while rest.isMultiple(of: 4) { (rest, radices) = (rest / 4, radices + [4]) }
        for radix in [2, 3, 5] where rest.isMultiple(of: radix) { (rest, radices) = (rest / radix, radices + [radix]) }
        self.radices = radices
        order = radices.reduce([0]) { order, radix in (0..<radix).flatMap { j in order.map { $0 * radix + j } } }
        let angles = (0..<side).map { -2 * Double.pi * Double($0) / Double(side) }
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
    }

    /// The smallest side that a plane of so many cells fits in.
    static func side(atLeast cells: Int) -> Int {
        var power = 16
        while true {
            for candidate in [power, power / 4 * 5, power / 2 * 3]
            where candidate >= cells && candidate.isMultiple(of: 16) { return candidate }
            power *= 2
        }
    }

    /// A kernel's transform, real because the kernel is symmetric: (side/2 + 1)² numbers for frequencies from 0 upwards.
    struct Kernel: Sendable {
        var values: [Float]
    }

    /// Each set of kernels has one kernel a plane; the result has, for each set, the planes convolved.
    func convolve(_ planes: [[Float]], with sets: [[Kernel]]) -> [[[Float]]] {
        precondition(
            planes.allSatisfy { $0.count == side * side } && sets.allSatisfy { $0.count == planes.count },
            "[convolve] expected planes of \(side) × \(side) and a kernel for each")
        var results = sets.map { _ in [[Float]]() }
        for first in stride(from: 0, to: planes.count, by: 2) {
            let second = min(first + 1, planes.count - 1)
            var real = planes[first]
            var imaginary = second == first ? [Float](repeating: 0, count: side * side) : planes[second]
            transform(&real, &imaginary)
            for (index, kernels) in sets.enumerated() {
                var (re, im) = (real, imaginary)
                multiply(&re, &im, kernels[first], kernels[second])
                // The inverse is the transform with real and imaginary parts exchanged.
                transform(&im, &re)
                results[index].append(re)
                if second != first { results[index].append(im) }
            }
        }
        return results
    }

    /// The spectrum Z of a + i b becomes that of (a ∗ p) + i (b ∗ q): Z(k) (P + Q)/2 + Z̄(−k) (P − Q)/2.
    private func multiply(_ re: inout [Float], _ im: inout [Float], _ p: Kernel, _ q: Kernel) {
        let half = side / 2
        let scale = 1 / Float(side * side)
        for y in 0...half {
            let opposite = (side - y) % side
            for x in 0..<side {
                // Each pair k, −k once.
                if y == opposite && x > half { continue }
                let (kernelRow, column) = (y * (half + 1), min(x, side - x))
                let (a, b) = (p.values[kernelRow + column] * scale, q.values[kernelRow + column] * scale)
                let (plus, minus) = ((a + b) / 2, (a - b) / 2)
                let (i, j) = (y * side + x, opposite * side + (side - x) % side)
                let (r, s, t, u) = (re[i], im[i], re[j], im[j])
                re[i] = r * plus + t * minus
                im[i] = s * plus - u * minus
                re[j] = t * plus + r * minus
                im[j] = u * plus - s * minus
            }
        }
    }

    // MARK: - Transform

    private func transform(_ real: inout [Float], _ imaginary: inout [Float]) {
        var (otherReal, otherImaginary) = (real, imaginary)
        withUnsafeTemporaryAllocation(of: Row.self, capacity: 2 * side) { scratch in
            let (re, im) = (scratch.baseAddress!, scratch.baseAddress! + side)
            for pass in 0..<2 {
                for left in stride(from: 0, to: side, by: Self.strip) {
                    if pass == 0 {
                        strip(real, left, into: re)
                        strip(imaginary, left, into: im)
                        butterflies(re, im)
                        write(re, &otherReal, left * side)
                        write(im, &otherImaginary, left * side)
                    } else {
                        strip(otherReal, left, into: re)
                        strip(otherImaginary, left, into: im)
                        butterflies(re, im)
                        write(re, &real, left * side)
                        write(im, &imaginary, left * side)
                    }
                }
            }
        }
    }

    /// Columns left ..< left + 16 in the order of the first butterflies.
    private func strip(_ plane: [Float], _ left: Int, into rows: UnsafeMutablePointer<Row>) {
        plane.withUnsafeBytes { bytes in
            for row in 0..<side {
                rows[row] = bytes.loadUnaligned(fromByteOffset: (order[row] * side + left) * 4, as: Row.self)
            }
        }
    }

    /// The strip as 16 rows of a plane.
    private func write(_ rows: UnsafeMutablePointer<Row>, _ plane: inout [Float], _ start: Int) {
        let values = UnsafeMutableRawPointer(rows).assumingMemoryBound(to: Float.self)
        plane.withUnsafeMutableBufferPointer { plane in
            for column in 0..<Self.strip {
                let to = plane.baseAddress! + start + column * side
                for row in 0..<side { to[row] = values[row * Self.strip + column] }
            }
        }
    }

    /// Cooley and Tukey's transform, decimation in time, radices 4, 2, 3 and 5.
    private func butterflies(_ re: UnsafeMutablePointer<Row>, _ im: UnsafeMutablePointer<Row>) {
        var length = 1
        for radix in radices {
            let step = side / (length * radix)
            for k in 0..<length {
                for start in stride(from: k, to: side, by: length * radix) {
                    // Twiddled inputs.
                    @inline(__always) func input(_ j: Int) -> (Row, Row) {
                        let (c, s) = (cosines[j * k * step], sines[j * k * step])
                        let (a, b) = (re[start + j * length], im[start + j * length])
                        return (a * c - b * s, a * s + b * c)
                    }
                    @inline(__always) func store(_ j: Int, _ a: Row, _ b: Row) {
                        re[start + j * length] = a
                        im[start + j * length] = b
                    }
                    let (a, b) = (re[start], im[start])
                    let (a1, b1) = input(1)
                    switch radix {
                    case 2:
                        store(0, a + a1, b + b1)
                        store(1, a - a1, b - b1)
                    case 4:
                        let ((a2, b2), (a3, b3)) = (input(2), input(3))
                        let (p, q, r, s) = (a + a2, b + b2, a - a2, b - b2)
                        let (t, u, v, w) = (a1 + a3, b1 + b3, a1 - a3, b1 - b3)
                        store(0, p + t, q + u)
                        store(1, r + w, s - v)
                        store(2, p - t, q - u)
                        store(3, r - w, s + v)
                    default:
                        var inputs = [(a, b), (a1, b1)]
                        for j in 2..<radix { inputs.append(input(j)) }
                        for j in 0..<radix {
                            var (sum, other) = (a, b)
                            for m in 1..<radix {
                                let angle = j * m % radix * (side / radix)
                                let (c, s) = (cosines[angle], sines[angle])
                                sum += inputs[m].0 * c - inputs[m].1 * s
                                other += inputs[m].0 * s + inputs[m].1 * c
                            }
                            store(j, sum, other)
                        }
                    }
                }
            }
            length *= radix
        }
    }
}
