import Foundation

/// One way to look at a stamp.
public struct StampView: Sendable, Hashable {
    public var quarterTurns: Int
    /// A further turn, radians.
    public var angle: Float = 0
    public var mirrored: Bool
    /// The part of the side that is seen.
    public var scale: Float
    /// Where the centre of the view lies, from the stamp's, as a part of the side.
    public var offset: SIMD2<Float>

    /// The whole stamp as it is, unless said otherwise.
    public init(quarterTurns: Int = 0, mirrored: Bool = false, scale: Float = 1, offset: SIMD2<Float> = .zero) {
        self.quarterTurns = quarterTurns
        self.mirrored = mirrored
        self.scale = scale
        self.offset = offset
    }

    /// The view of a stamp, by bilinear sampling; so its size should not be much smaller than `scale · side`.
    ///
    /// - Parameters:
    ///   - pixels: channels × side × side numbers.
    ///   - size: side of the result.
    public func sample(_ pixels: ArraySlice<Float>, channels: Int, side: Int, size: Int) -> [Float] {
        // Cosine and sine of the turn, exact for quarters.
        let (c, s): (Float, Float) = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarterTurns & 3]
        let (ca, sa) = angle == 0 ? (1, 0) : (Float(cos(Double(angle))), Float(sin(Double(angle))))
        let (cosine, sine) = (c * ca - s * sa, s * ca + c * sa)
        let step = scale * Float(side) / Float(size)
        let middle = (SIMD2(repeating: 0.5) + offset) * Float(side) - 0.5
        let half = 0.5 * Float(size - 1)
        return [Float](unsafeUninitializedCapacity: channels * size * size) { result, initialized in
            pixels.withUnsafeBufferPointer { source in
                for row in 0..<size {
                    for column in 0..<size {
                        let u = (Float(column) - half) * (mirrored ? -step : step)
                        let v = (Float(row) - half) * step
                        let (x0, x1, fx) = Self.neighbours(middle.x + cosine * u - sine * v, side)
                        let (y0, y1, fy) = Self.neighbours(middle.y + sine * u + cosine * v, side)
                        for channel in 0..<channels {
                            let plane = channel * side * side
                            let (top, bottom) = (plane + y0 * side, plane + y1 * side)
                            let upper = source[top + x0] + (source[top + x1] - source[top + x0]) * fx
                            let lower = source[bottom + x0] + (source[bottom + x1] - source[bottom + x0]) * fx
                            result[(channel * size + row) * size + column] = upper + (lower - upper) * fy
                        }
                    }
                }
            }
            initialized = channels * size * size
        }
    }

    /// The pixels on both sides of a point, the image mirrored at its edges, and the weight of the second.
    @inline(__always)
    private static func neighbours(_ x: Float, _ side: Int) -> (Int, Int, Float) {
        let lower = x.rounded(.down)
        let first = Int(lower)
        return (mirrored(first, side), mirrored(first + 1, side), x - lower)
    }

    @inline(__always)
    private static func mirrored(_ index: Int, _ side: Int) -> Int {
        let reflected = index < 0 ? -1 - index : index >= side ? 2 * side - 1 - index : index
        return min(max(reflected, 0), side - 1)
    }
}
