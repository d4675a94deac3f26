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
    /// 127 stands for P = 1 and 255, the largest, for all from 2 on: a maximum may be one power of 2 too low.
    case uint8
    /// 255 stands for P = 1, which no P may exceed.
    case uint8Filled

    /// The number kept for P, rounded to nearest; infinite where the format has no number that large. The scale of
    /// 8 bits is that of the integers.
    package func stored(_ p: Float) -> Float {
        switch self {
        case .float32: p
        case .bfloat16: Self.roundedToBFloat16(p)
        case .float16: Self.roundedToFloat16(p)
        case .uint8: min((127 * p).rounded(.toNearestOrEven), 255)
        case .uint8Filled: min((255 * p).rounded(.toNearestOrEven), 255)
        }
    }

    /// Whether the kept number is the format's end and stands for larger ones too.
    package func isSaturated(_ stored: Float) -> Bool { self == .uint8 ? stored >= 255 : stored == .infinity }

    /// The smallest sum l for which the exponentials that vanished cannot have mattered: they are fewer than `keys`, each below
    /// the smallest number kept, and together below the format's own rounding error of the sum. ``uint8`` cannot promise
    /// that: as the kernels do, it asks that the row's largest exponential be at least a quarter of P = 1.
    /// ``uint8Filled`` is used only where that is sure.
    func passesGuard(sum: Float, largest: Float, keys: Int) -> Bool {
        guard sum.isFinite, !isSaturated(largest) else { return false }
        return switch self {
        case .float32, .bfloat16: sum >= Float(keys) * 0x1p-102
        case .float16: sum >= Float(keys) * 0x1p-14
        case .uint8: largest >= 32
        case .uint8Filled: true
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

/// One row of attention, computed block by block with a maximum that was fixed before, or that follows the blocks.
package struct FrozenRow {
    /// Exponentials reached the end of the format; of 8 bits, those of at least one block, which was computed again.
    package var saturated = false
    /// The guard sends the row to the online softmax; its error does not count then.
    package var caught: Bool
    /// |o − truth| / |truth|, Euclidean; infinite or NaN where the row overflowed.
    package var error: Double

    /// Exponentials of 8 bits are handled as in the kernels. Under a frozen maximum a block that saturates raises m to its own
    /// largest score, what there is is rescaled, and the block is computed again. Without one, the exponentials of each block
    /// are relative to its own largest score M, and 2^(M − m) goes into the sum over blocks, with m the largest of all so far.
    /// - Parameters:
    ///   - scores: of the row with all keys, in base 2.
    ///   - values: (keys, width)
    ///   - maximum: m; nil for one that follows the blocks.
    ///   - blocks: the keys, in the order in which they are taken.
    ///   - truth: the row's exact result.
    package init(
        scores: [Float], values: [Float], maximum: Float?, blocks: [[Int]], truth: [Double], format: ExponentialFormat
    ) {
        let width = truth.count
        var m = maximum ?? -.greatestFiniteMagnitude
        // Of the exponentials since m last changed.
        var largest: Float = 0
        var row = Sums(width: width)
        for block in blocks {
            let blockMaximum = block.reduce(-Float.infinity) { max($0, scores[$1]) }
            var part = Sums(width: width)
            if maximum == nil {
                let raised = max(m, blockMaximum)
                largest = max(largest, part.add(block, scores, values, reference: blockMaximum, format))
                row.rescale(exp2f(m - raised))
                part.rescale(exp2f(blockMaximum - raised))
                m = raised
            } else {
                var ofBlock = part.add(block, scores, values, reference: m, format)
                if format == .uint8 && format.isSaturated(ofBlock) {
                    saturated = true
                    let raised = max(m, blockMaximum)
                    row.rescale(exp2f(m - raised))
                    part = Sums(width: width)
                    (m, largest) = (raised, 0)
                    ofBlock = part.add(block, scores, values, reference: m, format)
                }
                largest = max(largest, ofBlock)
            }
            row.add(part)
        }
        saturated = saturated || format.isSaturated(largest) || !row.sum.isFinite
        caught =
            !format.passesGuard(sum: row.sum, largest: largest, keys: scores.count)
            || !row.output.allSatisfy(\.isFinite)
        var (difference, norm) = (0.0, 0.0)
        for channel in 0..<width {
            let d = Double(row.output[channel] / row.sum) - truth[channel]
            difference += d * d
            norm += truth[channel] * truth[channel]
        }
        error = (difference / norm).squareRoot()
    }

    /// Σ P and Σ P v.
    private struct Sums {
        var sum: Float = 0
        var output: [Float]

        init(width: Int) { output = [Float](repeating: 0, count: width) }

        /// Adds keys and returns the largest of their exponentials.
        mutating func add(
            _ keys: [Int], _ scores: [Float], _ values: [Float], reference: Float, _ format: ExponentialFormat
        ) -> Float {
            let width = output.count
            var largest: Float = 0
            output.withUnsafeMutableBufferPointer { output in
                values.withUnsafeBufferPointer { values in
                    for key in keys {
                        let p = format.stored(exp2f(scores[key] - reference))
                        if p == 0 { continue }
                        sum += p
                        largest = max(largest, p)
                        for channel in 0..<width { output[channel] += p * values[key * width + channel] }
                    }
                }
            }
            return largest
        }

        mutating func rescale(_ factor: Float) {
            sum *= factor
            for channel in output.indices { output[channel] *= factor }
        }

        mutating func add(_ other: Sums) {
            sum += other.sum
            for channel in output.indices { output[channel] += other.output[channel] }
        }
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

/// What became of rows computed in one way.
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
