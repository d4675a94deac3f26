import Foundation

/// Circular convolution of square planes whose side is a power of two, by fast Fourier transforms.
///
/// The transform goes along columns, all of them at once: a butterfly combines two whole rows, which the compiler turns
/// into vector instructions. The other direction is the same after a transposition; the product of two transforms does not
/// mind that both are transposed.
struct PlanarConvolution: Sendable {
    let side: Int
    private let cosines: [Float]
    private let sines: [Float]

    init(side: Int) {
        precondition(side >= 4 && side & (side - 1) == 0, "[PlanarConvolution] expected a power of two, got \(side)")
        self.side = side
        let angles = (0..<side / 2).map { -2 * Double.pi * Double($0) / Double(side) }
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
    }

    /// A transformed plane: transposed, real and imaginary parts apart.
    struct Spectrum: Sendable {
        fileprivate(set) var real: [Float]
        fileprivate(set) var imaginary: [Float]
    }

    func transform(_ plane: [Float]) -> Spectrum {
        precondition(plane.count == side * side, "[transform] expected \(side) × \(side) numbers, got \(plane.count)")
        var result = Spectrum(real: plane, imaginary: [Float](repeating: 0, count: plane.count))
        alongColumns(&result, inverse: false)
        result = transposed(result)
        alongColumns(&result, inverse: false)
        return result
    }

    /// The plane whose transform is the product of both.
    func inverse(_ a: Spectrum, times b: Spectrum) -> [Float] {
        var product = a
        let scale = 1 / Float(side * side)
        for i in a.real.indices {
            product.real[i] = (a.real[i] * b.real[i] - a.imaginary[i] * b.imaginary[i]) * scale
            product.imaginary[i] = (a.real[i] * b.imaginary[i] + a.imaginary[i] * b.real[i]) * scale
        }
        alongColumns(&product, inverse: true)
        product = transposed(product)
        alongColumns(&product, inverse: true)
        return product.real
    }

    private func transposed(_ plane: Spectrum) -> Spectrum {
        var result = plane
        let block = 16 <= side ? 16 : side
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

    /// Cooley and Tukey's radix-2 transform, decimation in time.
    private func alongColumns(_ plane: inout Spectrum, inverse: Bool) {
        let bits = side.trailingZeroBitCount
        plane.real.withUnsafeMutableBufferPointer { real in
            plane.imaginary.withUnsafeMutableBufferPointer { imaginary in
                let (re, im) = (real.baseAddress!, imaginary.baseAddress!)
                for row in 0..<side {
                    var (reversed, rest) = (0, row)
                    for _ in 0..<bits {
                        reversed = reversed << 1 | rest & 1
                        rest >>= 1
                    }
                    guard row < reversed else { continue }
                    for x in 0..<side {
                        swap(&re[row * side + x], &re[reversed * side + x])
                        swap(&im[row * side + x], &im[reversed * side + x])
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
