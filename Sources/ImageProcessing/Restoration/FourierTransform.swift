import Foundation

/// Complex Fourier transforms of square planes whose side is a power of two (Cooley and Tukey 1965, radix 2, decimation
/// in time).
///
/// A butterfly combines two whole rows, which the compiler turns into vector instructions; the other direction is the same
/// after a transposition. Spectra therefore stand transposed, which their products do not mind.
package struct FourierTransform: Sendable {
    package let side: Int
    private let cosines: [Float]
    private let sines: [Float]
    private let reversed: [Int]

    package init(side: Int) {
        precondition(side >= 4 && side & (side - 1) == 0, "[FourierTransform] expected a power of two, got \(side)")
        self.side = side
        let angles = (0..<side / 2).map { -2 * Double.pi * Double($0) / Double(side) }
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
        let bits = side.trailingZeroBitCount
        reversed = (0..<side).map { row in (0..<bits).reduce(0) { $0 << 1 | (row >> $1) & 1 } }
    }

    /// The smallest side that is not smaller than a length.
    package static func side(atLeast length: Int) -> Int {
        var side = 4
        while side < length { side *= 2 }
        return side
    }

    /// A complex plane, real and imaginary parts apart; side × side numbers each.
    package struct Plane: Sendable {
        package var real: [Float]
        package var imaginary: [Float]

        package init(real: [Float], imaginary: [Float]? = nil) {
            self.real = real
            self.imaginary = imaginary ?? [Float](repeating: 0, count: real.count)
        }

        /// The element-wise product.
        package static func * (a: Plane, b: Plane) -> Plane {
            var product = a
            for i in a.real.indices {
                product.real[i] = a.real[i] * b.real[i] - a.imaginary[i] * b.imaginary[i]
                product.imaginary[i] = a.real[i] * b.imaginary[i] + a.imaginary[i] * b.real[i]
            }
            return product
        }
    }

    package func forward(_ plane: Plane) -> Plane { transformed(plane, inverse: false) }

    /// The inverse of ``forward(_:)``, with its factor 1 / side².
    package func inverse(_ spectrum: Plane) -> Plane {
        var result = transformed(spectrum, inverse: true)
        let scale = 1 / Float(side * side)
        for i in result.real.indices {
            result.real[i] *= scale
            result.imaginary[i] *= scale
        }
        return result
    }

    private func transformed(_ plane: Plane, inverse: Bool) -> Plane {
        precondition(
            plane.real.count == side * side && plane.imaginary.count == side * side,
            "[FourierTransform] expected \(side) × \(side) numbers, got \(plane.real.count)")
        var result = plane
        alongColumns(&result, inverse: inverse)
        result = transposed(result)
        alongColumns(&result, inverse: inverse)
        return result
    }

    private func transposed(_ plane: Plane) -> Plane {
        var result = plane
        let block = min(16, side)
        for top in stride(from: 0, to: side, by: block) {
            for left in stride(from: 0, to: side, by: block) {
                for y in top..<top + block {
                    for x in left..<left + block {
                        result.real[x * side + y] = plane.real[y * side + x]
                        result.imaginary[x * side + y] = plane.imaginary[y * side + x]
                    }
                }
            }
        }
        return result
    }

    private func alongColumns(_ plane: inout Plane, inverse: Bool) {
        plane.real.withUnsafeMutableBufferPointer { real in
            plane.imaginary.withUnsafeMutableBufferPointer { imaginary in
                let (re, im) = (real.baseAddress!, imaginary.baseAddress!)
                for row in 0..<side where row < reversed[row] {
                    for x in 0..<side {
                        swap(&re[row * side + x], &re[reversed[row] * side + x])
                        swap(&im[row * side + x], &im[reversed[row] * side + x])
                    }
                }
                var half = 1
                while half < side {
                    for start in stride(from: 0, to: side, by: 2 * half) {
                        for k in 0..<half {
                            let c = cosines[k * (side / (2 * half))]
                            let s = inverse ? -sines[k * (side / (2 * half))] : sines[k * (side / (2 * half))]
                            let (upper, lower) = ((start + k) * side, (start + k + half) * side)
                            for x in 0..<side {
                                let (a, b) = (re[lower + x], im[lower + x])
                                let (p, q) = (c * a - s * b, c * b + s * a)
                                re[lower + x] = re[upper + x] - p
                                im[lower + x] = im[upper + x] - q
                                re[upper + x] += p
                                im[upper + x] += q
                            }
                        }
                    }
                    half *= 2
                }
            }
        }
    }
}
