import ArgumentParser
import Datasets
import Foundation
import Inference
import Models
import Outliers
import Pipelines
import Tensors
import Training

struct TrainAutoencoderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "autoencoder",
        abstract: "Train the auto-encoder whose latent vectors tell outliers.",
        discussion: """
            lenticular outliers does this by itself; train one here to use it for many archives (outliers --network). The folder \
            gets model.safetensors, loss.csv, validation.csv, and a checkpoint: the same command continues an interrupted run, to \
            the same result.

              lenticular train autoencoder IMAGES --kind attcae -o RUN
            """)

    @Argument(help: "Folders, image files, tables or lists of files.")
    var input: [String]

    @Option(help: "attcae (with attention in the encoder) or cae.")
    var kind: AutoencoderConfiguration.Kind = .attention

    @Option(help: "Times that each stamp is seen.")
    var epochs = 20.0

    @Option(help: "Stamps a step.")
    var batch = 64

    @Option(help: "Highest learning rate.")
    var learningRate: Float = 2e-3

    @Option(help: "Numbers of the latent vector.")
    var latent = 64

    @Flag(help: "Noisy stamps count less.")
    var noiseWeights = false

    @Option(help: "Train on at most so many stamps.")
    var limit = 100_000

    @Option(help: "Centre to keep of each image: a fraction of the shorter side (0.7), 128px or 20arcsec.")
    var crop: String?

    @Option(help: "Seed of weights, order and views.")
    var seed: UInt64 = 1

    @Option(help: "Arithmetic of the products: float32 or bfloat16.")
    var precision: Precision = .bfloat16

    @Option(help: "Data-parallel workers; another number gives another rounding.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(name: .shortAndLong, help: "Folder of the run.")
    var output: String

    @Flag(name: .shortAndLong, help: "No progress bar and no summary.")
    var quiet = false

    func validate() throws {
        guard epochs > 0, epochs.isFinite, batch > 0, learningRate > 0, (1...4096).contains(latent), limit >= 2,
            workers > 0, precision != .int8
        else { throw ValidationError("numbers must be positive and precision float32 or bfloat16") }
        if let crop, StampNormalization.Crop(crop) == nil {
            throw ValidationError(
                "--crop: expected a fraction (0.7), pixels (128px) or arcsec (20arcsec), got '\(crop)'")
        }
    }

    func run() throws {
        let interruption = Interruption()
        let input = try OutlierInput(self.input)
        let settings = AutoencoderSettings(
            kind, latent: latent, epochs: epochs, batchSize: batch, learningRate: learningRate,
            weighsNoise: noiseWeights,
            seed: seed, precision: precision, workers: workers)
        let fitting = OutlierFitting(
            method: kind == .plain ? .cae : .attcae, crop: crop.flatMap { StampNormalization.Crop($0) } ?? .fraction(1),
            views: 1, training: settings, trainingLimit: limit, workers: workers, quiet: quiet,
            interruption: interruption)
        guard let (encoder, _) = try fitting.encoder(for: input.objects, folder: output),
            case .autoencoder(let network, let normalization, _) = encoder
        else {
            print("Interrupted; the same command continues.")
            throw ExitCode(130)
        }
        let json = String(decoding: try JSONEncoder().encode(normalization), as: UTF8.self)
        try network.save(
            to: output + "/model.safetensors",
            metadata: [
                "creator": "lenticular \(ProgramVersion.current)", Embedder.normalizationKey: json,
                "training": "\(input.objects.count) images, \(epochs) epochs, seed \(seed)",
            ])
        if !quiet {
            print("  \(output)/model.safetensors  the network: outliers --network \(output)/model.safetensors")
        }
    }
}

extension AutoencoderConfiguration.Kind: ExpressibleByArgument {}
