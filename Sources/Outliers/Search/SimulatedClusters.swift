import Foundation
import Tensors

/// Vectors in clusters, as embeddings of objects of a few kinds are: normal within a cluster and between the centres, with
/// variances that fall as 1/i over the dimensions. For benchmarks and tests.
public struct SimulatedClusters: Sendable {
    public var count: Int
    public var width: Int
    public var clusters = 1000
    /// Standard deviation within a cluster, in units of that of the centres.
    public var spread: Float = 0.5
    public var seed: UInt64 = 1

    public init(count: Int, width: Int) {
        self.count = count
        self.width = width
    }

    /// The vectors; each is a function of the seed and its number.
    public func vectors() -> VectorSet {
        let scales = (0..<width).map { 1 / Float($0 + 1).squareRoot() }
        var random = RandomNumbers(seed: seed, stream: 0)
        let centres = (0..<clusters * width).map { scales[$0 % width] * random.normal() }
        let values = [Float](unsafeUninitializedCapacity: count * width) { buffer, initialized in
            for row in 0..<count {
                var random = RandomNumbers(seed: seed, stream: UInt64(row + 1))
                let centre = random.integer(below: clusters) * width
                for column in 0..<width {
                    buffer[row * width + column] =
                        centres[centre + column] + spread * scales[column] * random.normal()
                }
            }
            initialized = count * width
        }
        return VectorSet(count: count, width: width, values: values)
    }
}
