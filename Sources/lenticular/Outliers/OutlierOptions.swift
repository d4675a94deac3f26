import ArgumentParser
import Datasets
import Foundation
import Models
import Outliers
import Tensors
import Training

extension OutlierMethod: ExpressibleByArgument {}

/// How outliers are found.
struct OutlierOptions: ParsableArguments {
    @Option(
        help: """
            attcae and cae train an auto-encoder (with and without attention) on the stamps and look at neighbours among its latent \
            vectors; knn looks at neighbours among pixels, backbone among embeddings of the pre-trained backbone; iforest is an \
            isolation forest and cosine the mean cosine distance to 10 neighbours, of embeddings; pca is the error of a \
            reconstruction from principal components.
            """)
    var method: OutlierMethod = .backbone

    @Option(name: .customLong("k"), help: "Neighbours whose mean distance is the score.")
    var k = 10

    @Option(help: "euclidean or cosine; cosine by default for the method cosine.")
    var metric: DistanceMetric?

    @Flag(help: "Bring each number of a vector to mean 0 and standard deviation 1 first.")
    var standardise = false

    @Option(help: "Seed of networks, their training and forests.")
    var seed: UInt64 = 1

    @Option(help: "Times that an auto-encoder sees each stamp.")
    var epochs = 20.0

    @Option(help: "An auto-encoder is trained on at most so many stamps.")
    var trainingLimit = 20_000

    @Option(help: "Numbers of the latent vector.")
    var latent = 64

    @Flag(help: "Noisy stamps count less in the training of an auto-encoder.")
    var noiseWeights = false

    @Option(help: "Arithmetic of the training: float32 or bfloat16.")
    var precision: Precision = .bfloat16

    @Option(help: "Views of a stamp whose vectors are averaged: 1, 4 (quarter turns) or 8 (mirrored too).")
    var views = 8

    @Option(help: "Centre to keep of each image: a fraction of the shorter side (0.7), 128px or 20arcsec.")
    var crop: String?

    @Option(help: "Backbone by name or file.")
    var backbone = "default"

    @Option(help: ArgumentHelp("Auto-encoder that train autoencoder wrote, instead of a training.", valueName: "file"))
    var network: String?

    @Option(help: "Worker threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    func validate() throws {
        guard (1...10_000).contains(k), (1...4096).contains(latent), workers > 0, epochs > 0, epochs.isFinite,
            trainingLimit >= 2
        else {
            throw ValidationError("k, latent, workers, epochs and training-limit must be positive, k at most 10 000")
        }
        if ![1, 4, 8].contains(views) { throw ValidationError("--views: expected 1, 4 or 8, got \(views)") }
        if precision == .int8 { throw ValidationError("--precision: expected float32 or bfloat16") }
        if let crop, StampNormalization.Crop(crop) == nil {
            throw ValidationError(
                "--crop: expected a fraction (0.7), pixels (128px) or arcsec (20arcsec), got '\(crop)'")
        }
    }

    var settings: OutlierSettings {
        OutlierSettings(method, k: k, metric: metric, standardise: standardise, seed: seed)
    }

    func fitting(quiet: Bool, interruption: Interruption) -> OutlierFitting {
        OutlierFitting(
            method: method, crop: crop.flatMap { StampNormalization.Crop($0) } ?? .fraction(1), views: views,
            training: AutoencoderSettings(
                method.autoencoder ?? .attention, latent: latent, epochs: epochs, weighsNoise: noiseWeights, seed: seed,
                precision: precision, workers: workers),
            trainingLimit: trainingLimit, network: network, backbone: backbone, workers: workers, quiet: quiet,
            interruption: interruption)
    }
}
