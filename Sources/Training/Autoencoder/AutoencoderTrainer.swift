public import Models
import Tensors

/// Trains an auto-encoder on stamps.
///
/// ```swift
/// let stamps = try StampsInMemory(pixels, channels: 3, side: 64, size: 64, augmentation: AutoencoderTrainer.augmentation)
/// var trainer = try AutoencoderTrainer(.init(.attention, workers: 2), stamps: stamps)
/// let network = try trainer.run()
/// ```
public struct AutoencoderTrainer {
    /// A galaxy may be turned and mirrored in any way; nothing else changes, so that what is unusual about it stays.
    public static let augmentation = StampAugmentation(scale: 1...1, shift: 0)

    private var trainer: Trainer<AutoencoderTask>

    public var step: Int { trainer.step }
    public var steps: Int { trainer.settings.steps }
    /// The smallest mean squared error on stamps that were held out.
    public var validation: Double? { trainer.bestValidation?.value }

    /// Prepares a run, or takes it up if the folder holds a checkpoint of the same run.
    ///
    /// - Parameters:
    ///   - stamps: their size and channels are the network's.
    ///   - folder: for the files of the run; nil for a run in memory.
    ///   - data: what the stamps are: a checkpoint of others is refused.
    public init(
        _ settings: AutoencoderSettings, stamps: any StampBatchSource, folder: String? = nil, data: String = ""
    ) throws {
        let configuration = AutoencoderConfiguration.standard(
            settings.kind, channels: stamps.channels, size: stamps.size, latent: settings.latent)
        let network = try ConvolutionalAutoencoder(
            configuration, seed: settings.seed, backend: CPUBackend(threads: 1))
        let task = try AutoencoderTask(stamps, weighsNoise: settings.weighsNoise, seed: settings.seed)
        trainer = try Trainer(
            settings.trainer(samples: task.sampleCount), network: network, task: task, folder: folder,
            description: "\(configuration), noise weights \(settings.weighsNoise), \(stamps.count) stamps, \(data)")
    }

    /// Trains to the end, or to a given step.
    ///
    /// - Parameter report: called after every step; returning false stops, with a checkpoint if there is a folder.
    /// - Returns: the network in its best state.
    @discardableResult
    public mutating func run(
        until last: Int? = nil, _ report: (TrainingProgress) -> Bool = { _ in true }
    ) throws -> ConvolutionalAutoencoder {
        try trainer.run(until: last, report)
    }
}
