import Foundation
public import Models
import Tensors

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
    private let folder: String
    private var trainer: Trainer<MaskedImageTask>

    /// The network in its present state.
    public var network: MaskedAutoencoder { trainer.network }
    /// Steps done so far, those of earlier processes among them.
    public var step: Int { trainer.step }

    /// Prepares a run, or takes it up if the folder holds a checkpoint of the same configuration.
    ///
    /// - Parameter initial: the checkpoint of another run, perhaps on smaller stamps, whose weights this one begins with.
    /// - Throws: ``TrainingError`` or `ModelError`; also if the folder's checkpoint has another configuration.
    public init(
        _ configuration: PretrainingConfiguration, source: any StampBatchSource, folder: String,
        initial: String? = nil
    ) throws {
        try configuration.validate(source: source)
        self.configuration = configuration
        self.folder = folder
        let network = try MaskedAutoencoder(
            configuration.model, seed: configuration.training.seed, backend: CPUBackend(threads: 1))
        if let initial { try network.copyWeights(fromCheckpoint: initial) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        trainer = try Trainer(
            configuration.training, network: network, task: MaskedImageTask(source: source), folder: folder,
            description: String(decoding: try encoder.encode(configuration.model), as: UTF8.self))
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
        let network = try trainer.run(until: last, report)
        if step == configuration.training.steps {
            try network.encoder.save(to: folder + "/model.safetensors", metadata: metadata)
        }
        return network.encoder
    }
}

/// Hidden patches of augmented stamps are to be predicted.
private struct MaskedImageTask: TrainingTask {
    let source: any StampBatchSource

    var sampleCount: Int { source.count }

    func loss(_ network: MaskedAutoencoder, _ samples: [TrainingSample], _ execution: Execution) throws -> Tensor {
        let model = network.configuration
        var pixels: [Float] = []
        pixels.reserveCapacity(samples.count * source.channels * source.size * source.size)
        for sample in samples {
            var random = sample.random
            pixels += try source.augmentedStamp(sample.index, random: &random)
        }
        let images = Tensor(
            pixels, shape: [samples.count, source.channels, source.size, source.size], on: network.encoder.backend)
        let mask = PatchMask.random(
            patches: model.encoder.gridSize * model.encoder.gridSize, ratio: model.maskRatio,
            samples.map(\.auxiliaryRandom))
        return network.loss(images, mask: mask, execution)
    }
}
