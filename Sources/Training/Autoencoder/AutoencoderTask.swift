import Kernels
public import Models
public import Tensors

/// Stamps are to be drawn again from their latent vectors: the loss is the mean squared error.
///
/// The state that is kept is the one with the smallest error on stamps that the network is not trained on.
public struct AutoencoderTask: TrainingTask {
    private let source: any StampBatchSource
    private let trained: [Int]
    private let held: [Int]
    /// A weight for each stamp of the source; nil where all count alike.
    private let weights: [Float]?

    /// - Parameters:
    ///   - source: of square stamps, normalised.
    ///   - weighsNoise: a noisy stamp counts less, see ``NoiseWeights``.
    ///   - heldShare: part of the stamps that is held out to validate.
    /// - Throws: ``TrainingError`` for fewer than two stamps.
    public init(
        _ source: any StampBatchSource, weighsNoise: Bool = false, heldShare: Double = 0.1, seed: UInt64
    ) throws {
        let count = source.count
        guard count >= 2 else {
            throw TrainingError(
                .invalidConfiguration, reason: "an auto-encoder learns from 2 or more stamps, not \(count)")
        }
        var random = RandomNumbers(seed: seed, stream: 0x6865_6C64)
        let order = random.permutation(count)
        let number = min(512, max(1, Int(Double(count) * heldShare)))
        self.source = source
        held = order.prefix(number).sorted()
        trained = order.dropFirst(number).sorted()
        weights = weighsNoise ? try NoiseWeights.of(source) : nil
    }

    public var sampleCount: Int { trained.count }

    public func loss(
        _ network: ConvolutionalAutoencoder, _ samples: [TrainingSample], _ execution: Execution
    ) throws -> Tensor {
        var pixels: [Float] = []
        pixels.reserveCapacity(samples.count * source.channels * source.size * source.size)
        for sample in samples {
            var random = sample.random
            pixels += try source.augmentedStamp(trained[sample.index], random: &random)
        }
        let images = network.images(pixels, samples.count)
        let answer = network.reconstruction(of: images, execution)
        guard let weights else { return answer.meanSquaredError(images) }
        let own = Tensor(
            samples.map { weights[trained[$0.index]] }, shape: [samples.count, 1, 1, 1], on: network.backend)
        return ((answer - images).square() * own).mean()
    }

    public func validation(
        _ network: ConvolutionalAutoencoder, _ execution: Execution, _ parallel: DataParallel
    ) throws -> Double? {
        let (held, source, workers) = (held, source, parallel.pool.threads)
        var errors = [Result<Double, any Error>](repeating: .success(0), count: workers)
        errors.withUnsafeMutableBufferPointer { errors in
            let errors = errors
            parallel.pool.parallelFor(workers) { worker in
                errors[worker] = Result {
                    let own = held[(worker * held.count / workers)..<((worker + 1) * held.count / workers)]
                    return try own.reduce(0.0) { sum, index in
                        let image = network.images(try source.stamp(index), 1)
                        return sum + Double(network.reconstruction(of: image, execution).meanSquaredError(image).scalar)
                    }
                }
            }
        }
        return try errors.reduce(0) { $0 + (try $1.get()) } / Double(held.count)
    }
}
