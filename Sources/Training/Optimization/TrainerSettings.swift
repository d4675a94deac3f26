public import Tensors

/// What determines a training run, apart from network, data and loss.
public struct TrainerSettings: Sendable, Codable, Hashable {
    public var batchSize: Int
    /// Steps of the whole run; the learning rate follows from it.
    public var steps: Int
    /// The highest learning rate.
    public var learningRate: Float
    /// Share of the steps in which the learning rate rises.
    public var warmup: Float
    public var optimizer: AdamW.Settings
    /// Gradients are scaled down to this norm.
    public var maximumGradientNorm: Float
    public var seed: UInt64
    /// Of the matrix products: float32 or bfloat16; weights, their gradients and sums are float32.
    public var precision: Precision
    /// Data-parallel workers. Another number gives another rounding.
    public var workers: Int
    /// Steps between checkpoints.
    public var checkpointInterval: Int
    /// Steps between validations; 0 for none but at the end.
    public var validationInterval: Int

    public init(
        batchSize: Int, steps: Int, learningRate: Float, warmup: Float = 0.05,
        optimizer: AdamW.Settings = AdamW.Settings(), maximumGradientNorm: Float = 1, seed: UInt64 = 1,
        precision: Precision = .float32, workers: Int, checkpointInterval: Int = 250, validationInterval: Int = 0
    ) {
        self.batchSize = batchSize
        self.steps = steps
        self.learningRate = learningRate
        self.warmup = warmup
        self.optimizer = optimizer
        self.maximumGradientNorm = maximumGradientNorm
        self.seed = seed
        self.precision = precision
        self.workers = workers
        self.checkpointInterval = checkpointInterval
        self.validationInterval = validationInterval
    }

    var schedule: LearningRateSchedule {
        LearningRateSchedule(peak: learningRate, warmupSteps: max(1, Int(Float(steps) * warmup)), totalSteps: steps)
    }

    func validate(samples: Int) throws(TrainingError) {
        func check(_ condition: Bool, _ reason: String) throws(TrainingError) {
            guard condition else { throw TrainingError(.invalidConfiguration, reason: reason) }
        }
        try check(
            batchSize > 0 && steps > 0 && workers > 0 && checkpointInterval > 0 && validationInterval >= 0,
            "a number is not positive: \(self)")
        try check(learningRate > 0 && (0...1).contains(warmup) && maximumGradientNorm > 0, "impossible rates: \(self)")
        try check(precision != .int8, "int8 has no derivatives: train in float32 or bfloat16")
        try check(samples > 0, "there are no samples")
    }
}
