import Foundation
import ImageProcessing
import Synchronization
import Tensors

/// The pictures of a set of objects, decoded once and kept in memory as 8-bit RGB, for training epochs that do not wait for a disk.
///
/// 20 000 pictures of 96 × 96 pixels take 550 MB.
public struct PretrainingCorpus: Sendable {
    /// Side of the stored pictures in pixels; larger than the stamps, so that augmentation can turn and shift.
    public let size: Int
    public let ids: [String]
    /// count × size × size × 3.
    private let samples: [UInt8]
    /// Objects that could not be used, with the reason.
    public let failures: [(id: String, reason: String)]
    /// Mean and standard deviation of each channel, of values in 0 … 1.
    public let mean: [Float]
    public let deviation: [Float]

    public var count: Int { ids.count }

    /// Reads the objects on several threads.
    ///
    /// - Parameter progress: called with the number of objects done.
    public init(
        objects: [ObjectFiles], size: Int, crop: StampNormalization.Crop = .fraction(1), readers: Int = 2,
        progress: (Int) -> Void = { _ in }
    ) throws {
        let reader = StampReader(
            normalization: StampNormalization(size: size, crop: crop, mean: [0, 0, 0], deviation: [1, 1, 1]))
        var ids: [String] = []
        var failures: [(id: String, reason: String)] = []
        var samples: [UInt8] = []
        samples.reserveCapacity(objects.count * size * size * 3)
        try OrderedStream(readers: readers, workers: 1).run(
            count: objects.count,
            load: { index -> Result<[UInt8], StampError> in
                Result { () throws(StampError) in try reader.picture(of: objects[index]).samples }
            },
            process: { _, picture in picture },
            write: { index, picture in
                switch picture {
                case .success(let picture):
                    ids.append(objects[index].id)
                    samples += picture
                case .failure(let error):
                    failures.append((objects[index].id, error.reason))
                }
                progress(index + 1)
                return true
            })
        self.size = size
        self.ids = ids
        self.failures = failures
        self.samples = samples
        var sums = [Double](repeating: 0, count: 3)
        var squares = sums
        for i in stride(from: 0, to: samples.count, by: 3) {
            for channel in 0..<3 {
                let value = Double(samples[i + channel]) / 255
                sums[channel] += value
                squares[channel] += value * value
            }
        }
        let number = max(1, Double(samples.count / 3))
        mean = sums.map { Float($0 / number) }
        deviation = zip(sums, squares).map { sum, square in
            Float(max(1e-6, square / number - (sum / number) * (sum / number)).squareRoot())
        }
    }

    /// The picture of an object, size × size × 3 samples.
    public func withPicture<Value>(_ index: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Value) -> Value {
        let length = size * size * 3
        return samples.withUnsafeBufferPointer {
            body(UnsafeBufferPointer(rebasing: $0[(index * length)..<((index + 1) * length)]))
        }
    }
}
