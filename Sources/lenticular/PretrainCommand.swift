import ArgumentParser
import Datasets
import Figures
import Foundation
import Inference
import Models
import Pipelines
import Tensors
import Training

struct PretrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pretrain",
        abstract: "Train a backbone on your own images, without labels.",
        discussion: """
            Masked autoencoder (He et al. 2022): three quarters of each stamp are hidden and predicted from the rest. The \
            run folder gets model.safetensors (give it to a run with --set embed.model=RUN/model.safetensors), \
            loss.csv, loss.png, and a checkpoint: the same command continues an interrupted run, to the same result.

            Pictures are kept in memory: 16 kB a stamp.
            """)

    @Argument(help: "Folders and files to learn from.")
    var paths: [String]

    @Option(name: .shortAndLong, help: "Run folder.")
    var output: String

    @Option(help: "Steps of the whole run.")
    var steps = 4000

    @Option(help: "Stamps a step.")
    var batch = 128

    @Option(help: "Highest learning rate.")
    var learningRate: Float = 1.5e-3

    @Option(help: "Seed of weights, order, views and masks.")
    var seed: UInt64 = 1

    @Option(help: "Arithmetic of the matrix products: float32 or bfloat16. Weights are float32 in both.")
    var precision: Precision = .bfloat16

    @Option(
        help: "What to keep of an image: a fraction of the shorter side (0.7), pixels (128px) or arcsec (20arcsec).")
    var crop: StampNormalization.Crop = .fraction(1)

    @Option(help: "Data-parallel workers; another number gives another rounding.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Flag(help: "Views are not mirrored: for models that are to tell handedness.")
    var noMirrors = false

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    func validate() throws {
        guard steps > 0, batch > 0, workers > 0, learningRate > 0 else {
            throw ValidationError("steps, batch, workers and learning rate must be positive")
        }
    }

    func run() throws {
        let interruption = Interruption()
        var augmentation = StampAugmentation()
        augmentation.mirrors = !noMirrors
        let configuration = PretrainingConfiguration(
            batchSize: batch, steps: steps, learningRate: learningRate, seed: seed, precision: precision,
            workers: workers)
        let size = configuration.model.encoder.imageSize

        let objects = try FileDiscovery().objects(in: paths)
        let reading = Progress("reading  ", total: objects.count, unit: "images", enabled: !quiet)
        // An eighth larger than the stamps, so that a view may shift.
        let corpus = try PretrainingCorpus(objects: objects, size: size + size / 8, crop: crop) { reading.update($0) }
        reading.finish(objects.count, failures: corpus.failures.count)
        let stamps = try CorpusStamps(corpus, size: size, crop: crop, augmentation: augmentation)

        var pretrainer = try Pretrainer(configuration, source: stamps, folder: output)
        if !corpus.failures.isEmpty {
            let rows = corpus.failures.map { "\($0.id)\t\($0.reason)" }.joined(separator: "\n")
            try (rows + "\n").write(toFile: output + "/failures.tsv", atomically: true, encoding: .utf8)
        }
        let training = Progress(
            "training ", total: steps, unit: "steps", startingAt: pretrainer.step, enabled: !quiet)
        let started = pretrainer.step
        var smoothed: Float?
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let metadata = [
            Embedder.normalizationKey: String(decoding: try encoder.encode(stamps.normalization), as: UTF8.self),
            "pretraining":
                "masked autoencoder, \(steps) steps of \(batch) stamps, seed \(seed), \(corpus.count) images",
            "creator": "lenticular \(ProgramVersion.current)",
        ]
        try pretrainer.run(metadata: metadata) { progress in
            smoothed = smoothed.map { $0 + 0.02 * (progress.loss - $0) } ?? progress.loss
            training.update(progress.step, note: "loss \(fixed(smoothed!, 4))")
            return !interruption.requested
        }
        training.finish(pretrainer.step, note: smoothed.map { "loss \(fixed($0, 4))" })
        try LossFigure(folder: output).draw()
        if pretrainer.step < steps {
            print("Interrupted after \(pretrainer.step) of \(steps) steps; the same command continues.")
            throw ExitCode(130)
        }
        if !quiet {
            print(
                """
                \(corpus.count) images, \(corpus.failures.count) not usable\(corpus.failures.isEmpty ? "" : " (\(output)/failures.tsv)"); \
                \(pretrainer.step - started) steps in this run.
                  \(output)/model.safetensors  the backbone: --set embed.model=\(output)/model.safetensors
                  \(output)/loss.png           how the loss fell
                """)
        }
    }
}

extension Precision: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension AttentionVariant: ExpressibleByArgument {}

extension StampNormalization.Crop: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
