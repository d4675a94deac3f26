#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Formats in which a kernel can keep the exponentials P = 2^(s − m) between the two products. Sums are float32 in all.
public enum ExponentialFormat: String, Sendable, Codable, CaseIterable {
    case float32
    /// 8 bits of precision, the range of float32.
    case bfloat16
    /// 11 bits of precision, from 2^−24 to 65504.
    case float16
    /// A fixed scale: 128 stands for P = 1, 255 is the largest.
    case uint8

    /// The number kept for P, rounded to nearest; infinite where the format has no number that large. The scale of
    /// ``uint8`` is that of its integers.
    package func stored(_ p: Float) -> Float {
        switch self {
        case .float32: p
        case .bfloat16: Self.roundedToBFloat16(p)
        case .float16: Self.roundedToFloat16(p)
        case .uint8: min((128 * p).rounded(.toNearestOrEven), 255)
        }
    }

    /// Whether the kept number is the format's end and stands for larger ones too.
    package func isSaturated(_ stored: Float) -> Bool { self == .uint8 ? stored >= 255 : stored == .infinity }

    /// The smallest sum l for which the exponentials that vanished cannot have mattered: they are fewer than `keys`, each below
    /// the smallest number kept, and together below the format's own rounding error of the sum. ``uint8`` cannot promise
    /// that: as the kernels do, it asks that the row's largest exponential be at least a quarter of P = 1.
    func passesGuard(sum: Float, largest: Float, keys: Int) -> Bool {
        guard sum.isFinite, !isSaturated(largest) else { return false }
        return switch self {
        case .float32, .bfloat16: sum >= Float(keys) * 0x1p-102
        case .float16: sum >= Float(keys) * 0x1p-14
        case .uint8: largest >= 32
        }
    }

    private static func roundedToBFloat16(_ x: Float) -> Float {
        guard x.isFinite else { return x }
        let bits = x.bitPattern
        return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
    }

    private static func roundedToFloat16(_ x: Float) -> Float {
        guard x.isFinite, x > 0 else { return x }
        // The distance between neighbouring numbers: 2^(exponent − 10), and 2^−24 among the subnormal ones.
        let step = exp2f(max(Float(x.exponent), -14) - 10)
        let rounded = (x / step).rounded(.toNearestOrEven) * step
        return rounded > 65504 ? .infinity : rounded
    }
}

/// One row of attention, computed with a maximum that was fixed before.
package struct FrozenRow {
    /// Exponentials reached the end of the format.
    package var saturated: Bool
    /// The guard sends the row to the online softmax; its error does not count then.
    package var caught: Bool
    /// |o − truth| / |truth|, Euclidean; infinite or NaN where the row overflowed.
    package var error: Double

    /// - Parameters:
    ///   - scores: of the row with all keys, in base 2.
    ///   - values: (keys, width)
    ///   - maximum: m.
    ///   - truth: the row's exact result.
    package init(scores: [Float], values: [Float], maximum: Float, truth: [Double], format: ExponentialFormat) {
        let width = truth.count
        var (sum, largest): (Float, Float) = (0, 0)
        var output = [Float](repeating: 0, count: width)
        output.withUnsafeMutableBufferPointer { output in
            values.withUnsafeBufferPointer { values in
                for (key, score) in scores.enumerated() {
                    let p = format.stored(exp2f(score - maximum))
                    if p == 0 { continue }
                    sum += p
                    largest = max(largest, p)
                    for channel in 0..<width { output[channel] += p * values[key * width + channel] }
                }
            }
        }
        saturated = format.isSaturated(largest) || !sum.isFinite
        caught =
            !format.passesGuard(sum: sum, largest: largest, keys: scores.count) || !output.allSatisfy(\.isFinite)
        var (difference, norm) = (0.0, 0.0)
        for channel in 0..<width {
            let d = Double(output[channel] / sum) - truth[channel]
            difference += d * d
            norm += truth[channel] * truth[channel]
        }
        error = (difference / norm).squareRoot()
    }

    /// The exact result of a row in double precision.
    package static func truth(scores: [Float], values: [Float], width: Int) -> [Double] {
        let maximum = Double(scores.max() ?? 0)
        var sum = 0.0
        var output = [Double](repeating: 0, count: width)
        for (key, score) in scores.enumerated() {
            let p = exp2(Double(score) - maximum)
            if p == 0 { continue }
            sum += p
            for channel in 0..<width { output[channel] += p * Double(values[key * width + channel]) }
        }
        return output.map { $0 / sum }
    }
}

/// What became of rows computed with a frozen maximum.
struct FrozenTally: Sendable {
    var rows = 0
    var saturated = 0
    var caught = 0
    /// Of the rows that the guard let pass; infinite where a row is not a number.
    var errors: [Double] = []

    mutating func add(_ row: FrozenRow) {
        rows += 1
        if row.saturated { saturated += 1 }
        if row.caught { caught += 1 } else { errors.append(row.error.isNaN ? .infinity : row.error) }
    }

    static func += (a: inout FrozenTally, b: FrozenTally) {
        a.rows += b.rows
        a.saturated += b.saturated
        a.caught += b.caught
        a.errors += b.errors
    }
}
