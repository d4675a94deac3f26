import Foundation
public import Models
import Tensors

/// Where a run stands.
public struct TrainingProgress: Sendable {
    /// Steps done.
    public var step: Int
    public var totalSteps: Int
    /// The loss of this step's batch.
    public var loss: Float
    public var learningRate: Float
    /// Norm of the gradient before clipping.
    public var gradientNorm: Float
    /// Stamps a second, since this process began.
    public var stampsPerSecond: Double
    /// At that rate, seconds.
    public var secondsLeft: Double
}

/// Pre-trains a backbone as a masked autoencoder.
///
/// The run lives in a folder: `checkpoint.safetensors` (to go on from), `loss.csv` (a row a step), and at the end
/// `model.safetensors` (the backbone). Running again in the same folder goes on where the last checkpoint is; the result
/// is the same, bit for bit, as without the interruption.
///
/// ```swift
/// let configuration = PretrainingConfiguration(steps: 4000, workers: 2)
/// var pretrainer = try Pretrainer(configuration, source: stamps, folder: "runs/pretraining")
/// let backbone = try pretrainer.run { print($0.step, $0.loss, $0.secondsLeft) }
/// ```
public struct Pretrainer {
    public let configuration: PretrainingConfiguration
    /// The network in its present state.
    public let network: MaskedAutoencoder
    private let source: any StampBatchSource
    private let folder: String
    private let schedule: LearningRateSchedule
    private let parallel: DataParallel
    private var optimizer: AdamW
    private var order: SampleOrder
    private var log: LossLog

    /// Steps done so far, those of earlier processes among them.
    public var step: Int { optimizer.step }

    /// Prepares a run, or takes it up if the folder holds a checkpoint of the same configuration.
    ///
    /// - Throws: ``TrainingError`` or `ModelError`; also if the folder's checkpoint has another configuration.
    public init(_ configuration: PretrainingConfiguration, source: any StampBatchSource, folder: String) throws {
        try configuration.validate(source: source)
        self.configuration = configuration
        self.source = source
        self.folder = folder
        schedule = configuration.schedule
        network = try MaskedAutoencoder(
            configuration.model, seed: configuration.seed, backend: CPUBackend(threads: 1))
        parallel = DataParallel(workers: configuration.workers)
        optimizer = AdamW(network, configuration.optimizer)
        order = SampleOrder(seed: configuration.seed, count: source.count)
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw TrainingError(.file, path: folder, reason: "cannot be created: \(error.localizedDescription)")
        }
        if FileManager.default.fileExists(atPath: Self.checkpointPath(folder)) {
            try TrainingCheckpoint.restore(&optimizer, configuration, from: Self.checkpointPath(folder))
        }
        log = try LossLog(path: folder + "/loss.csv", keepingSteps: optimizer.step)
    }

    /// Trains to the end, or to a given step, and writes the files of the run.
    ///
    /// - Parameters:
    ///   - last: stop after this step with a checkpoint; the whole run by default.
    ///   - metadata: strings to store in `model.safetensors`, such as how stamps are to be normalised.
    ///   - report: called after every step; returning false stops with a checkpoint.
    /// - Returns: the backbone.
    @discardableResult
    public mutating func run(
        until last: Int? = nil, metadata: [String: String] = [:], _ report: (TrainingProgress) -> Bool = { _ in true }
    ) throws -> VisionTransformer {
        let clock = ContinuousClock()
        let (start, firstStep) = (clock.now, step)
        let last = min(last ?? configuration.steps, configuration.steps)
        var goOn = true
        while step < last && goOn {
            let (loss, norm) = try advance()
            guard loss.isFinite else {
                throw TrainingError(.diverged, path: folder, reason: "the loss of step \(step) is \(loss)")
            }
            let rate = schedule.rate(atStep: step)
            try log.append(step: step, loss: loss, learningRate: rate, gradientNorm: norm)
            let seconds = (clock.now - start) / .seconds(1)
            let done = Double(step - firstStep)
            goOn = report(
                TrainingProgress(
                    step: step, totalSteps: configuration.steps, loss: loss, learningRate: rate, gradientNorm: norm,
                    stampsPerSecond: done * Double(configuration.batchSize) / seconds,
                    secondsLeft: Double(configuration.steps - step) * seconds / done))
            if step % configuration.checkpointInterval == 0 || step == last || !goOn {
                try log.flush()
                try TrainingCheckpoint.save(optimizer, configuration, to: Self.checkpointPath(folder))
            }
        }
        if step == configuration.steps {
            try network.encoder.save(to: folder + "/model.safetensors", metadata: metadata)
        }
        return network.encoder
    }

    /// One step: forward, backward and update.
    private mutating func advance() throws -> (loss: Float, gradientNorm: Float) {
        let first = step * configuration.batchSize
        let positions = first..<(first + configuration.batchSize)
        let stamps = positions.map { order.stamp(at: $0) }
        let (source, samples, model) = (source, order, configuration.model)
        let execution = Execution(precision: configuration.precision)
        let backend = network.encoder.backend
        let (loss, gradients) = try parallel.gradients(of: network, batch: configuration.batchSize) { network, range in
            var pixels: [Float] = []
            pixels.reserveCapacity(range.count * source.channels * source.size * source.size)
            for sample in range {
                var random = samples.augmentation(at: first + sample)
                pixels += try source.augmentedStamp(stamps[sample], random: &random)
            }
            let images = Tensor(
                pixels, shape: [range.count, source.channels, source.size, source.size], on: backend)
            let mask = PatchMask.random(
                patches: model.encoder.gridSize * model.encoder.gridSize, ratio: model.maskRatio,
                range.map { samples.mask(at: first + $0) })
            return network.loss(images, mask: mask, execution)
        }
        let norm = optimizer.update(
            gradients, learningRate: schedule.rate(atStep: step + 1),
            maximumNorm: configuration.maximumGradientNorm, pool: parallel.pool)
        return (loss, norm)
    }

    private static func checkpointPath(_ folder: String) -> String { folder + "/checkpoint.safetensors" }
}
