import Tensors

/// How much each stamp counts in a loss: the inverse of the variance that its noise and the network's own error make together.
///
/// The noise is estimated from the second differences of neighbouring pixels, which hardly see a galaxy: their median absolute
/// value over √6 · 0.6745 is the standard deviation of independent Gaussian noise.
public enum NoiseWeights {
    /// Variance that even a stamp without noise has, in units of the normalised stamps: a twentieth of their own.
    static let floor: Float = 0.05

    /// Weights with mean 1, one a stamp.
    public static func of(_ source: any StampBatchSource) throws -> [Float] {
        let weights = try (0..<source.count).map { index in
            let noise = deviation(try source.stamp(index), side: source.size)
            return 1 / (noise * noise + floor)
        }
        let mean = weights.reduce(0, +) / Float(weights.count)
        return weights.map { $0 / mean }
    }

    /// Standard deviation of the noise of planes of side × side pixels.
    public static func deviation(_ planes: [Float], side: Int) -> Float {
        guard side >= 3 else { return 0 }
        var differences: [Float] = []
        differences.reserveCapacity(planes.count)
        for line in stride(from: 0, to: planes.count, by: side) {
            for x in 1..<(side - 1) {
                let i = line + x
                differences.append(abs(2 * planes[i] - planes[i - 1] - planes[i + 1]))
            }
        }
        differences.sort()
        return differences[differences.count / 2] / (Float(6).squareRoot() * 0.6745)
    }
}
