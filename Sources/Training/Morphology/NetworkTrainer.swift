public import Models
import Tensors

/// How backbone and head are trained together.
public struct NetworkSettings: Sendable, Codable, Hashable {
    public var epochs: Double
    public var batchSize: Int
    /// Of the head.
    public var learningRate: Float
    /// What the rate of the backbone's last block is multiplied by; 1 from scratch.
    public var backboneRate: Float
    /// What the rate of each block is multiplied by, compared with the next one; 1 from scratch.
    public var layerDecay: Float
    public var weightDecay: Float
    public var dropout: Float
    public var smoothing: Float
    /// Part of the training images that chooses the best state and calibrates.
    public var validationShare: Double
    public var views: Int
    public var seed: UInt64
    public var precision: Precision
    public var workers: Int

    public init(
        epochs: Double = 20, batchSize: Int = 64, learningRate: Float = 1e-3, backboneRate: Float = 0.5,
        layerDecay: Float = 0.8, weightDecay: Float = 0.05, dropout: Float = 0.2, smoothing: Float = 0.05,
        validationShare: Double = 0.12, views: Int = 8, seed: UInt64 = 0, precision: Precision = .bfloat16,
        workers: Int = 1
    ) {
        self.epochs = epochs
        self.batchSize = batchSize
        self.learningRate = learningRate
        self.backboneRate = backboneRate
        self.layerDecay = layerDecay
        self.weightDecay = weightDecay
        self.dropout = dropout
        self.smoothing = smoothing
        self.validationShare = validationShare
        self.views = views
        self.seed = seed
        self.precision = precision
        self.workers = workers
    }

    /// For a network that begins with random weights.
    public static let scratch = NetworkSettings(epochs: 60, backboneRate: 1, layerDecay: 1)

    /// What the learning rate of a parameter is multiplied by: less the deeper it lies (layer-wise decay, Clark et al. 2020,
    /// arXiv 2003.10555).
    package func factor(of parameter: Parameter, depth: Int) -> Float {
        if MorphologyHead.isFixed(parameter) { return 0 }
        guard parameter.name.hasPrefix("backbone.") else { return 1 }
        let rest = parameter.name.dropFirst("backbone.".count)
        let height: Int
        if rest.hasPrefix("blocks.") {
            height = depth - 1 - (Int(rest.dropFirst(7).prefix { $0 != "." }) ?? 0)
        } else {
            height = rest.hasPrefix("norm.") ? 0 : depth
        }
        return backboneRate * (0..<height).reduce(1) { rate, _ in rate * layerDecay }
    }
}

/// Trains a backbone with a head, or both from nothing.
public struct NetworkTrainer {
    public let settings: NetworkSettings
    let labels: MorphologyLabels
    let stamps: any StampBatchSource

    /// What came out.
    public struct Result: Sendable {
        /// In its best state by validation.
        public var network: MorphologyNetwork
        public var calibration: MorphologyCalibration
        public var validation: Double?
    }

    /// - Parameter stamps: a stamp for each image of the labels, in the same order.
    public init(_ settings: NetworkSettings, stamps: any StampBatchSource, labels: MorphologyLabels) {
        precondition(stamps.count == labels.count, "[NetworkTrainer] expected a stamp a label")
        self.settings = settings
        self.stamps = stamps
        self.labels = labels
    }

    /// Turns of a stamp that predictions are averaged over: quarters, and from the fifth on mirrored.
    public static func views(_ count: Int) -> [StampView] {
        (0..<count).map { StampView(quarterTurns: $0 & 3, mirrored: $0 >= 4) }
    }

    /// Steps of a run with so many training images.
    public func steps(_ split: LabelSplit) -> Int {
        let count = Double(split.train.count) * (1 - settings.validationShare)
        return max(10, Int((count * settings.epochs / Double(settings.batchSize)).rounded(.up)))
    }

    /// - Parameters:
    ///   - network: with the weights to begin from; they are trained in place.
    ///   - folder: of the run, for checkpoints: the same call goes on after an interruption.
    ///   - report: called after each step; returning false stops.
    /// - Returns: nil if it was stopped.
    public func train(
        _ network: MorphologyNetwork, _ split: LabelSplit, folder: String?, report: (TrainingProgress) -> Bool
    ) throws -> Result? {
        let task = task(split)
        let steps = steps(split)
        let training = TrainerSettings(
            batchSize: settings.batchSize, steps: steps, learningRate: settings.learningRate, warmup: 0.1,
            optimizer: AdamW.Settings(weightDecay: settings.weightDecay), seed: settings.seed,
            precision: settings.precision, workers: settings.workers, checkpointInterval: max(1, steps / 4),
            validationInterval: max(1, steps / 20))
        let depth = network.backbone?.blocks.count ?? 0
        var trainer = try Trainer(
            training, network: network, task: task, folder: folder,
            description: "\(settings) \(labels.target) \(labels.count)"
        ) { settings.factor(of: $0, depth: depth) }
        let trained = try trainer.run(report)
        guard trainer.step == steps else { return nil }
        var heldOut = HeldOutLogits()
        heldOut.append(try logits(trained, task.validation, task), of: task.validation)
        return Result(
            network: trained, calibration: CalibrationFit(labels.target).fit(heldOut, labels),
            validation: trainer.bestValidation?.value)
    }

    /// Logits of some images, averaged over the views of the settings.
    public func logits(_ network: MorphologyNetwork, _ indices: [Int]) throws -> [Float] {
        try logits(network, indices, task(LabelSplit(train: [], test: [])))
    }

    private func logits(
        _ network: MorphologyNetwork, _ indices: [Int], _ task: MorphologyNetworkTask
    ) throws -> [Float] {
        try task.logits(
            of: indices, network, Execution(precision: settings.precision), DataParallel(workers: settings.workers),
            views: Self.views(settings.views))
    }

    private func task(_ split: LabelSplit) -> MorphologyNetworkTask {
        var (train, validation) = (split.train, [Int]())
        if settings.validationShare > 0, split.train.count > 8 {
            let number = max(2, Int((1 / settings.validationShare).rounded()))
            validation = split.folds(number, of: labels, seed: settings.seed)[0]
            let held = Set(validation)
            train = train.filter { !held.contains($0) }
        }
        return MorphologyNetworkTask(
            target: labels.target, stamps: stamps, labels: labels, train: train, validation: validation,
            dropout: settings.dropout, smoothing: settings.smoothing)
    }
}

extension LabelSplit {
    init(train: [Int], test: [Int]) {
        self.train = train
        self.test = test
    }
}
