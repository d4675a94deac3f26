public import Models
public import Tensors

/// How an auto-encoder is trained.
public struct AutoencoderSettings: Sendable, Codable, Hashable {
    public var kind: AutoencoderConfiguration.Kind
    /// Numbers of the latent vector.
    public var latent: Int
    /// Times that each stamp is seen, in another orientation every time.
    public var epochs: Double
    /// The run has at least this many steps, however few stamps there are.
    public var minimumSteps: Int
    public var batchSize: Int
    /// The highest learning rate.
    public var learningRate: Float
    /// Whether noisy stamps count less, see ``NoiseWeights``.
    public var weighsNoise: Bool
    public var seed: UInt64
    public var precision: Precision
    public var workers: Int

    public init(
        _ kind: AutoencoderConfiguration.Kind, latent: Int = 64, epochs: Double = 20, minimumSteps: Int = 200,
        batchSize: Int = 64, learningRate: Float = 2e-3, weighsNoise: Bool = false, seed: UInt64 = 1,
        precision: Precision = .bfloat16, workers: Int
    ) {
        self.kind = kind
        self.latent = latent
        self.epochs = epochs
        self.minimumSteps = minimumSteps
        self.batchSize = batchSize
        self.learningRate = learningRate
        self.weighsNoise = weighsNoise
        self.seed = seed
        self.precision = precision
        self.workers = workers
    }

    /// The trainer's settings for a number of samples.
    func trainer(samples: Int) -> TrainerSettings {
        let steps = max(minimumSteps, Int((epochs * Double(samples) / Double(batchSize)).rounded(.up)))
        return TrainerSettings(
            batchSize: batchSize, steps: steps, learningRate: learningRate, warmup: 0.1,
            optimizer: AdamW.Settings(beta2: 0.99, weightDecay: 0.01), seed: seed, precision: precision,
            workers: workers, validationInterval: max(1, steps / 10))
    }
}
