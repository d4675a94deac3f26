import Datasets
import Foundation
import Inference
import Models
import Outliers
import Pipelines
import Tensors
import Training

/// Makes the encoder of a method for given objects: trains an auto-encoder on them, or loads a backbone.
struct OutlierFitting {
    var method: OutlierMethod
    var crop = StampNormalization.Crop.fraction(1)
    /// Views of a stamp whose vectors are averaged, by a network.
    var views = 8
    /// How an auto-encoder is trained; its kind is the method's.
    var training: AutoencoderSettings
    /// An auto-encoder is trained on at most so many stamps, drawn by the seed.
    var trainingLimit = 20_000
    /// A trained auto-encoder to use instead.
    var network: String?
    /// Name or file of the backbone.
    var backbone = "default"
    var workers: Int
    var quiet: Bool
    let interruption: Interruption

    /// - Parameter folder: for the checkpoint of a training, so that the same command continues it.
    /// - Returns: nil after an interruption.
    func encoder(
        for objects: [ObjectFiles], folder: String
    ) throws -> (encoder: StampEncoder, backbone: FittedOutliers.Backbone?)? {
        switch method.space {
        case .embedding:
            let path = try InstalledFiles.model(named: backbone)
            var embedder = try Embedder(path: path, precision: .bfloat16, views: views)
            embedder = embedder.cropped(crop)
            return (
                .backbone(embedder),
                .init(name: backbone, sha256: try Digest.ofFile(path), views: views)
            )
        case .pixels:
            guard let raw = try rawStamps(objects) else { return nil }
            return (.pixels(AutoencoderStamps.fitted(to: raw, crop: crop)), nil)
        case .latent:
            if let network { return (try trained(network), nil) }
            guard let raw = try rawStamps(objects) else { return nil }
            let normalization = AutoencoderStamps.fitted(to: raw, crop: crop)
            let stamps = try StampsInMemory(
                AutoencoderStamps.normalise(raw, normalization), channels: normalization.channels,
                side: normalization.size, size: normalization.size, augmentation: AutoencoderTrainer.augmentation)
            guard let network = try train(stamps, folder: folder, data: "\(normalization)") else { return nil }
            return (.autoencoder(network, normalization, views: views), nil)
        }
    }

    /// An auto-encoder of a file that `train autoencoder` wrote.
    private func trained(_ path: String) throws -> StampEncoder {
        let (network, metadata) = try ConvolutionalAutoencoder.load(path: path, backend: CPUBackend(threads: 1))
        guard let json = metadata[Embedder.normalizationKey],
            let normalization = try? JSONDecoder().decode(StampNormalization.self, from: Data(json.utf8)),
            normalization.size == network.configuration.size, normalization.channels == network.configuration.channels
        else { throw InferenceError(path: path, "does not say how its stamps are normalised") }
        guard network.configuration.kind == method.autoencoder else {
            throw InferenceError(
                path: path, "is a network of the method \(network.configuration.kind.rawValue), not \(method.rawValue)")
        }
        return .autoencoder(network, normalization, views: views)
    }

    /// Brightness of the stamps that an auto-encoder or a normalisation learns from; without defects.
    private func rawStamps(_ objects: [ObjectFiles]) throws -> [Float]? {
        var chosen = objects
        if objects.count > trainingLimit {
            var random = RandomNumbers(seed: training.seed, stream: 0x7374_616D)
            chosen = random.permutation(objects.count).prefix(trainingLimit).sorted().map { objects[$0] }
        }
        let progress = Progress("reading  ", total: chosen.count, unit: "stamps", enabled: !quiet)
        let read = try StampCollection(
            chosen, encoder: .pixels(AutoencoderStamps.raw(crop: crop)), workers: workers
        ) { done, failed in
            progress.update(done, failures: failed)
            return !interruption.requested
        }
        progress.finish(read.rows.count + read.failures.count, failures: read.failures.count)
        guard !read.isInterrupted else { return nil }
        let usable = read.usable
        guard usable.count >= 2 else {
            throw OutlierError(
                .tooFewVectors,
                "\(usable.count) of \(objects.count) images can be used; a method is fitted on 2 or more")
        }
        return read.vectors(of: usable).values
    }

    /// Trains the method's auto-encoder.
    func train(_ stamps: StampsInMemory, folder: String?, data: String) throws -> ConvolutionalAutoencoder? {
        var trainer = try AutoencoderTrainer(training, stamps: stamps, folder: folder, data: data)
        let progress = Progress(
            "training ", total: trainer.steps, unit: "steps", startingAt: trainer.step, enabled: !quiet)
        var smoothed: Float?
        let network = try trainer.run { state in
            smoothed = smoothed.map { $0 + 0.05 * (state.loss - $0) } ?? state.loss
            let best = state.bestValidation.map { ", held out \(fixed($0, 4))" } ?? ""
            progress.update(state.step, note: "error \(fixed(smoothed!, 4))\(best)")
            return !interruption.requested
        }
        progress.finish(trainer.step, note: trainer.validation.map { "held out \(fixed($0, 4))" })
        return trainer.step == trainer.steps ? network : nil
    }
}
