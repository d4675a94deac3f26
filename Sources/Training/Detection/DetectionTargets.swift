import Foundation
import ImageProcessing
import Inference
import Models
package import Tensors

/// A view of an example: the network's input and what its maps should be, height × width planes of a square.
package struct DetectionTargets {
    /// Light of a pixel, in units of the noise, from which on it belongs to its source: 0.7, and less for sources that hardly reach
    /// it, so that extended faint ones have pixels too.
    static func isophote(peak: Float) -> Float { min(0.7, 0.4 * peak) }

    /// Signal-to-noise ratio of a matched filter from which on a source should be found, and below which it is sky. Between them
    /// nothing is asked.
    static let wanted: Double = 3
    static let hopeless: Double = 2

    package let side: Int
    /// 2 planes.
    package var input: [Float]
    /// 1 where a source is.
    package var source: [Float]
    package var sourceWeight: [Float]
    /// Gaussians on the centres.
    package var heat: [Float]
    /// 1 on a centre's pixel.
    package var centre: [Float]
    /// Weights of all other pixels.
    package var background: [Float]
    /// 2 planes, in units of the network.
    package var offset: [Float]
    package var offsetWeight: [Float]
    /// 3 planes: 1 for the class.
    package var classes: [Float]

    /// A random view: position, turns and mirrors, more noise (white, or correlated as resampling leaves it), and a residual of the sky.
    package init(of example: DetectionExample, side: Int, random: inout RandomNumbers) {
        let (x, y) = (
            random.integer(below: max(1, example.width - side + 1)),
            random.integer(below: max(1, example.height - side + 1))
        )
        let extra: Float = random.uniform() < 0.5 ? random.uniform(0, 1.5) : 0
        let noise = Self.noise(side, isCorrelated: random.uniform() < 0.4, &random)
        self.init(
            of: example, side: side, x: x, y: y,
            turn: (random.uniform() < 0.5, random.uniform() < 0.5, random.uniform() < 0.5), extra: extra, noise: noise,
            sky: 0.1 * random.normal())
    }

    /// The middle of an example as it is.
    package init(middleOf example: DetectionExample, side: Int) {
        self.init(
            of: example, side: side, x: max(0, (example.width - side) / 2), y: max(0, (example.height - side) / 2),
            turn: (false, false, false), extra: 0, noise: [], sky: 0)
    }

    private init(
        of example: DetectionExample, side: Int, x left: Int, y bottom: Int,
        turn: (x: Bool, y: Bool, transpose: Bool), extra: Float, noise: [Float], sky: Float
    ) {
        self.side = side
        let (count, last) = (side * side, side - 1)
        let dim = 1 / (1 + extra * extra).squareRoot()
        func place(_ x: Int, _ y: Int) -> Int? {
            let (s, t) = turn.transpose ? (y, x) : (x, y)
            let (u, v) = (left + (turn.x ? last - s : s), bottom + (turn.y ? last - t : t))
            return u < example.width && v < example.height ? v * example.width + u : nil
        }
        func seen(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
            let (u, v) = (x - Double(left), y - Double(bottom))
            let (s, t) = (turn.x ? Double(last) - u : u, turn.y ? Double(last) - v : v)
            return turn.transpose ? (t, s) : (s, t)
        }
        let truth = example.truth
        let significances = truth.sources.map { $0.significance * Double(dim) }
        let centres = truth.sources.map { seen($0.x, $0.y) }
        var (values, mask) = ([Float](repeating: 0, count: count), [UInt8](repeating: 1, count: count))
        var areas = [Int](repeating: 0, count: truth.sources.count)
        var owners = [Int32](repeating: 0, count: count)
        let zeros = [Float](repeating: 0, count: count)
        (source, heat, centre, offset, offsetWeight) = (zeros, zeros, zeros, zeros + zeros, zeros)
        classes = zeros + zeros + zeros
        sourceWeight = [Float](repeating: 1, count: count)
        background = sourceWeight
        for y in 0..<side {
            for x in 0..<side {
                let i = y * side + x
                guard let from = place(x, y) else { continue }
                mask[i] = example.image.mask[from]
                values[i] = dim * (example.significance[from] + sky + (extra > 0 ? extra * noise[i] : 0))
                let owner = truth.map[from]
                // With more noise a source has fewer pixels.
                guard owner > 0 else {
                    if example.artefacts[from] { classes[2 * count + i] = 1 }
                    continue
                }
                guard dim == 1 || example.light[from] * dim > 0.7 || significances[Int(owner) - 1] < 8 else { continue }
                owners[i] = owner
                areas[Int(owner) - 1] += 1
            }
        }
        input = DetectionNetwork.input(significance: values, mask: mask)
        for i in 0..<count where owners[i] > 0 {
            let index = Int(owners[i]) - 1
            if significances[index] < Self.wanted || areas[index] < 3 {
                if significances[index] > Self.hopeless { (sourceWeight[i], background[i]) = (0, 0) }
                continue
            }
            let area = Float(areas[index])
            source[i] = 1
            sourceWeight[i] = 1 + 3 * exp(-area / 100)
            offset[i] = Float(centres[index].x - Double(i % side)) / DetectionNetwork.offsetScale
            offset[count + i] = Float(centres[index].y - Double(i / side)) / DetectionNetwork.offsetScale
            // Large sources have many pixels, but their offsets are no more important than those of small ones.
            offsetWeight[i] = min(1, 8 / area.squareRoot())
            classes[(truth.sources[index].isStar ? 0 : count) + i] = 1
        }
        for index in truth.sources.indices where significances[index] >= Self.wanted && areas[index] >= 3 {
            draw(centre: centres[index], area: areas[index])
        }
    }

    /// A Gaussian whose width grows with the source, 1 at the pixel of the centre.
    private mutating func draw(centre place: (x: Double, y: Double), area: Int) {
        let (x, y) = (Int(place.x.rounded()), Int(place.y.rounded()))
        guard (0..<side).contains(x), (0..<side).contains(y) else { return }
        let width = min(4, max(1, 0.15 * Float(area).squareRoot()))
        let reach = Int(3 * width)
        for v in max(0, y - reach)...min(side - 1, y + reach) {
            for u in max(0, x - reach)...min(side - 1, x + reach) {
                let distance = Float((u - x) * (u - x) + (v - y) * (v - y))
                heat[v * side + u] = max(heat[v * side + u], exp(-distance / (2 * width * width)))
            }
        }
        centre[y * side + x] = 1
        background[y * side + x] = 0
    }

    /// Noise of standard deviation 1, height × width.
    private static func noise(_ side: Int, isCorrelated: Bool, _ random: inout RandomNumbers) -> [Float] {
        let white = (0..<(side * side)).map { _ in random.normal() }
        guard isCorrelated else { return white }
        // Bilinear interpolation at half a pixel.
        return (0..<(side * side)).map { i in
            let right = i % side == side - 1 ? i : i + 1
            let up = i + side < white.count ? side : 0
            return 0.5 * (white[i] + white[right] + white[i + up] + white[right + up])
        }
    }
}
