public import Models
public import Tensors

/// Everything that determines a pre-training run, apart from the stamps.
public struct PretrainingConfiguration: Sendable, Codable, Hashable {
    public var model: MaskedAutoencoderConfiguration
    public var training: TrainerSettings

    public init(
        model: MaskedAutoencoderConfiguration = .stamp64, batchSize: Int = 128, steps: Int,
        learningRate: Float = 1.5e-3,
        warmup: Float = 0.05, optimizer: AdamW.Settings = AdamW.Settings(beta2: 0.95, weightDecay: 0.05),
        maximumGradientNorm: Float = 1, seed: UInt64 = 1, precision: Precision = .float32, workers: Int,
        checkpointInterval: Int = 250
    ) {
        self.model = model
        training = TrainerSettings(
            batchSize: batchSize, steps: steps, learningRate: learningRate, warmup: warmup, optimizer: optimizer,
            maximumGradientNorm: maximumGradientNorm, seed: seed, precision: precision, workers: workers,
            checkpointInterval: checkpointInterval)
    }

    func validate(source: any StampBatchSource) throws(TrainingError) {
        try training.validate(samples: source.count)
        guard source.channels == model.encoder.channels && source.size == model.encoder.imageSize else {
            throw TrainingError(
                .invalidConfiguration,
                reason: "stamps are \(source.channels) × \(source.size) × \(source.size), "
                    + "the model takes \(model.encoder.channels) × \(model.encoder.imageSize) × \(model.encoder.imageSize)"
            )
        }
    }
}
