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
    /// The validation after this step, if there was one.
    public var validation: Double?
    /// The smallest validation so far.
    public var bestValidation: Double?
    /// Samples a second, since this process began.
    public var samplesPerSecond: Double
    /// At that rate, seconds.
    public var secondsLeft: Double
}

/// Trains any network on any task: batches in an order that the seed decides, data-parallel gradients, AdamW with warm-up and
/// cosine, a log, checkpoints to go on from, and the best state by validation.
///
/// With a folder the run leaves `checkpoint.safetensors` (to go on from), `loss.csv` (a row a step), `validation.csv` and, where
/// the task validates, `best.safetensors`. Running again in the same folder goes on where the last checkpoint is; the result is
/// the same, bit for bit, as without the interruption. Without a folder everything stays in memory.
///
/// ```swift
/// var trainer = try Trainer(TrainerSettings(batchSize: 64, steps: 500, learningRate: 1e-3, workers: 2), network: head, task: task)
/// let trained = try trainer.run { print($0.step, $0.loss); return true }
/// ```
public struct Trainer<Task: TrainingTask> {
    public let settings: TrainerSettings
    /// The network in its present state.
    public let network: Task.Network
    private let task: Task
    private let folder: String?
    private let description: String
    private let schedule: LearningRateSchedule
    private let parallel: DataParallel
    private var optimizer: AdamW
    private var order: SampleOrder
    private var log: StepLog?
    private var best: BestState

    /// Steps done so far, those of earlier processes among them.
    public var step: Int { optimizer.step }
    /// The smallest validation so far, and its step.
    public var bestValidation: (value: Double, step: Int)? { best.validation }

    /// Prepares a run, or takes it up if the folder holds a checkpoint of the same run.
    ///
    /// - Parameters:
    ///   - network: with the weights to begin from, on a backend with one thread. They are trained in place.
    ///   - folder: for the files of the run; nil for a run in memory.
    ///   - description: what else makes the run what it is (the model's configuration, the data): a checkpoint of another
    ///     description is refused.
    ///   - learningRateFactor: of a parameter, by its name; 0 leaves it as it is.
    /// - Throws: ``TrainingError``.
    public init(
        _ settings: TrainerSettings, network: Task.Network, task: Task, folder: String? = nil, description: String = "",
        learningRateFactor: (Parameter) -> Float = { _ in 1 }
    ) throws {
        try settings.validate(samples: task.sampleCount)
        self.settings = settings
        self.network = network
        self.task = task
        self.folder = folder
        self.description = description
        schedule = settings.schedule
        parallel = DataParallel(workers: settings.workers)
        optimizer = AdamW(network, settings.optimizer, learningRateFactor: learningRateFactor)
        order = SampleOrder(seed: settings.seed, count: task.sampleCount)
        best = BestState(network)
        guard let folder else { return }
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw TrainingError(.file, path: folder, reason: "cannot be created: \(error.localizedDescription)")
        }
        if FileManager.default.fileExists(atPath: Self.checkpointPath(folder)) {
            try TrainingCheckpoint(settings, description).restore(&optimizer, from: Self.checkpointPath(folder))
            try best.restore(folder: folder, upTo: optimizer.step)
        }
        log = try StepLog(
            path: folder + "/loss.csv", columns: "step,loss,learning_rate,gradient_norm", keepingSteps: optimizer.step)
    }

    /// Trains to the end, or to a given step.
    ///
    /// - Parameters:
    ///   - last: stop after this step with a checkpoint; the whole run by default.
    ///   - report: called after every step; returning false stops with a checkpoint.
    /// - Returns: the network: after the whole run in its best state by validation, or the last where nothing is validated.
    /// - Throws: ``TrainingError`` (`diverged`) for a loss that is no number: the checkpoint before it stays.
    @discardableResult
    public mutating func run(
        until last: Int? = nil, _ report: (TrainingProgress) -> Bool = { _ in true }
    ) throws -> Task.Network {
        let clock = ContinuousClock()
        let (start, firstStep) = (clock.now, step)
        let last = min(last ?? settings.steps, settings.steps)
        let execution = Execution(precision: settings.precision)
        var goOn = true
        while step < last && goOn {
            let (loss, norm) = try advance(execution)
            let (step, rate) = (step, schedule.rate(atStep: step))
            try log?.append("\(step),\(loss),\(rate),\(norm)")
            var validation: Double?
            if step == settings.steps || settings.validationInterval > 0 && step % settings.validationInterval == 0 {
                validation = try task.validation(network, execution, parallel)
                if let validation { try best.consider(network, validation, step: step, folder: folder) }
            }
            let seconds = (clock.now - start) / .seconds(1)
            let done = Double(step - firstStep)
            goOn = report(
                TrainingProgress(
                    step: step, totalSteps: settings.steps, loss: loss, learningRate: rate, gradientNorm: norm,
                    validation: validation, bestValidation: best.validation?.value,
                    samplesPerSecond: done * Double(settings.batchSize) / seconds,
                    secondsLeft: Double(settings.steps - step) * seconds / done))
            if let folder, step % settings.checkpointInterval == 0 || step == last || !goOn {
                try log?.flush()
                try TrainingCheckpoint(settings, description).save(optimizer, to: Self.checkpointPath(folder))
            }
        }
        if step == settings.steps { best.load(into: network) }
        return network
    }

    /// One step: forward, backward and update. The weights change only if the loss is a number.
    private mutating func advance(_ execution: Execution) throws -> (loss: Float, gradientNorm: Float) {
        let first = step * settings.batchSize
        let samples = (first..<(first + settings.batchSize)).map { position in
            TrainingSample(
                position: position, index: order.stamp(at: position), random: order.augmentation(at: position),
                auxiliaryRandom: order.mask(at: position))
        }
        let task = task
        let (loss, gradients) = try parallel.gradients(of: network, batch: settings.batchSize) { network, range in
            try task.loss(network, Array(samples[range]), execution)
        }
        guard loss.isFinite else {
            throw TrainingError(.diverged, path: folder, reason: "the loss of step \(step + 1) is \(loss)")
        }
        let norm = optimizer.update(
            gradients, learningRate: schedule.rate(atStep: step + 1), maximumNorm: settings.maximumGradientNorm,
            pool: parallel.pool)
        return (loss, norm)
    }

    private static func checkpointPath(_ folder: String) -> String { folder + "/checkpoint.safetensors" }
}
