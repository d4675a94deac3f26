import Foundation
import Models

/// The network's maps of a whole image, as probabilities and pixels.
public struct DetectionMaps: Sendable {
    public let width: Int
    public let height: Int
    /// Probability that a source covers the pixel, height × width.
    public var source: [Float]
    /// Probability that a source has its centre in the pixel.
    public var centre: [Float]
    /// Pixels from here to the centre of the pixel's source.
    public var offsetX: [Float]
    public var offsetY: [Float]
    /// Probabilities of the classes; they add up to 1.
    public var star: [Float]
    public var galaxy: [Float]
    public var artefact: [Float]

    public init(width: Int, height: Int) {
        (self.width, self.height) = (width, height)
        let zeros = [Float](repeating: 0, count: width * height)
        (source, centre, offsetX, offsetY, star, galaxy, artefact) = (zeros, zeros, zeros, zeros, zeros, zeros, zeros)
    }

    /// Takes a rectangle of a tile's result.
    ///
    /// - Parameters:
    ///   - maps: 7 × tile side × tile side, as ``DetectionNetwork`` gives them.
    ///   - side: of the tile.
    ///   - corner: pixel of the image that the tile's first pixel is.
    mutating func take(
        _ maps: [Float], side: Int, corner: (x: Int, y: Int), columns: Range<Int>, rows: Range<Int>
    ) {
        let plane = side * side
        func value(_ map: DetectionNetwork.Map, _ i: Int) -> Float { maps[map.rawValue * plane + i] }
        for y in rows {
            for x in columns {
                let from = (y - corner.y) * side + x - corner.x
                let to = y * width + x
                source[to] = Self.sigmoid(value(.source, from))
                centre[to] = Self.sigmoid(value(.centre, from))
                offsetX[to] = value(.offsetX, from) * DetectionNetwork.offsetScale
                offsetY[to] = value(.offsetY, from) * DetectionNetwork.offsetScale
                let logits = SIMD3(value(.star, from), value(.galaxy, from), value(.artefact, from))
                let powers = logits - logits.max()
                let (s, g, a) = (exp(powers.x), exp(powers.y), exp(powers.z))
                let sum = s + g + a
                (star[to], galaxy[to], artefact[to]) = (s / sum, g / sum, a / sum)
            }
        }
    }

    private static func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }
}
