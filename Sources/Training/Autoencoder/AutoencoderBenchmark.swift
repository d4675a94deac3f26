import Kernels
public import Models
public import Tensors

/// Measures how many stamps a second an auto-encoder trains on.
///
/// A step is forward, backward, clipping and an AdamW update, data-parallel, on a batch that is at hand.
/// benchmarks/outliers/cae_step.py measures the same with PyTorch.
public struct AutoencoderBenchmark: Sendable {
    /// One measurement.
    public struct Row: Sendable, Codable {
        public var kind: AutoencoderConfiguration.Kind
        public var precision: Precision
        public var workers: Int
        public var batch: Int
        public var parameters: Int
        public var stampsPerSecond: Double
        /// Of the time of all workers, from steps of their own with the profiler on.
        public var breakdown: [BackboneBenchmark.Share]
    }

    public var workers: Int
    public var batch: Int
    /// Time to spend on each row.
    public var secondsPerRow: Double

    public init(workers: Int, batch: Int, secondsPerRow: Double) {
        self.workers = workers
        self.batch = batch
        self.secondsPerRow = secondsPerRow
    }

    /// Measures one row; the rate is that of the median step.
    public func run(_ kind: AutoencoderConfiguration.Kind, _ precision: Precision) throws -> Row {
        let backend = CPUBackend(threads: 1)
        let network = try ConvolutionalAutoencoder(.standard(kind), seed: 1, backend: backend)
        let (parallel, batch, execution) = (DataParallel(workers: workers), batch, Execution(precision: precision))
        var random = RandomNumbers(seed: 2)
        let configuration = network.configuration
        let images = Tensor.normal(
            [batch, configuration.channels, configuration.size, configuration.size], random: &random, on: backend)
        var optimizer = AdamW(network)
        let timing = try StepTiming(seconds: secondsPerRow, workers: workers, backend: backend) {
            let (_, gradients) = try parallel.gradients(of: network, batch: batch) { network, range in
                let own = images.slice(axis: 0, range)
                return network.reconstruction(of: own, execution).meanSquaredError(own)
            }
            optimizer.update(gradients, learningRate: 1e-4, maximumNorm: 1, pool: parallel.pool)
        }
        return Row(
            kind: kind, precision: precision, workers: workers, batch: batch, parameters: network.parameterCount,
            stampsPerSecond: Double(batch) / timing.median, breakdown: timing.breakdown)
    }

    /// A network with its answers to random stamps, for a program that is to agree: `FOLDER/KIND.safetensors` and
    /// `FOLDER/KIND-answers.safetensors` with the tensors images, latent and reconstruction.
    public static func export(_ kind: AutoencoderConfiguration.Kind, to folder: String) throws {
        let backend = CPUBackend(threads: 1)
        let network = try ConvolutionalAutoencoder(.standard(kind), seed: 1, backend: backend)
        var random = RandomNumbers(seed: 2)
        let images = Tensor.normal([4, 3, 64, 64], random: &random, on: backend)
        try network.save(to: "\(folder)/\(kind.rawValue).safetensors")
        try SafetensorsWriter.write(
            [
                ("images", images), ("latent", network.latent(of: images)),
                ("reconstruction", network.reconstruction(of: images)),
            ], to: "\(folder)/\(kind.rawValue)-answers.safetensors")
    }
}
