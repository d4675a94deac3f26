/// How a head on frozen vectors is trained.
public struct HeadSettings: Sendable, Codable, Hashable {
    /// Width between two layers; 0 for a linear head.
    public var hidden: Int
    /// Classifiers that are averaged.
    public var members: Int
    public var batchSize: Int
    /// Steps, whatever the number of samples.
    public var steps: Int
    public var learningRate: Float
    public var weightDecay: Float
    public var dropout: Float
    /// Factors for the weight decay, and divisors of the learning rate, of which held-out images choose one. A larger one keeps
    /// weights smaller: few labels want that.
    public var strengths: [Float]
    /// Of the targets of classes.
    public var smoothing: Float
    /// Parts of the training images that are held out in turn, to calibrate and to choose the strength.
    public var folds: Int
    public var seed: UInt64
    public var workers: Int

    public init(
        hidden: Int = 0, members: Int = 1, batchSize: Int = 256, steps: Int = 400, learningRate: Float = 0.05,
        weightDecay: Float = 1, dropout: Float = 0, strengths: [Float] = [1, 4, 16, 64], smoothing: Float = 0,
        folds: Int = 5, seed: UInt64 = 0,
        workers: Int = 1
    ) {
        self.hidden = hidden
        self.members = members
        self.batchSize = batchSize
        self.steps = steps
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.dropout = dropout
        self.strengths = strengths
        self.smoothing = smoothing
        self.folds = folds
        self.seed = seed
        self.workers = workers
    }

    /// What does well on vectors of a pre-trained backbone.
    public static func standard(hidden: Bool, seed: UInt64, workers: Int) -> HeadSettings {
        hidden
            ? HeadSettings(
                hidden: 256, members: 2, learningRate: 3e-3, weightDecay: 1, dropout: 0.3, strengths: [1], seed: seed,
                workers: workers)
            : HeadSettings(seed: seed, workers: workers)
    }
}
