import ArgumentParser
import Datasets
import Figures
import Foundation
import ImageProcessing
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
            Masked autoencoder (He et al. 2022): three quarters of each stamp are hidden and predicted from the rest. Images \
            may have any number of bands; those much larger than a stamp are cut into tiles. The run folder gets \
            model.safetensors (give it to a run with --set embed.model=RUN/model.safetensors), loss.csv, loss.png, and a \
            checkpoint: the same command continues an interrupted run, to the same result. With --probe-labels the backbone \
            is judged on labelled images on the way (probe.csv, probe.png); they do not influence it.

            Pictures are kept in memory: 21 kB a band and 128-pixel stamp.
            """)

    @Argument(help: "Folders and files to learn from.")
    var paths: [String]

    @Option(name: .shortAndLong, help: "Run folder.")
    var output: String

    @Option(help: "The network: stamp128 (5.7 million parameters) or stamp64 (2.7 million).")
    var model: PretrainingModel = .stamp128

    @Option(
        help:
            "Side of the stamps, pixels, if not the network's own: a short run on small stamps goes before one on large ones."
    )
    var size: Int?

    @Option(help: "Begin with the weights of another run's checkpoint.safetensors; positions are resized.")
    var from: String?

    @Option(
        help: "Patches whose variance is below this, in units of the normalised stamps, count less (they are noise).")
    var noiseVariance: Float = 0

    @Option(help: "Simulated galaxies (g, r, z) to learn from besides.")
    var simulated = 0

    @Option(help: "Table of classes (CSV, ECSV, FITS, VOTable) to judge the backbone by on the way.")
    var probeLabels: String?

    @Option(help: "Column of the class.")
    var probeColumn = "class"

    @Option(help: "Steps between two looks at the labelled images.")
    var probeInterval = 500

    @Option(help: "Labelled images to look at, at most.")
    var probeCount = 1000

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

    @Option(help: "Threads that read images.")
    var readers = 2

    @Flag(help: "Views are not mirrored: for models that are to tell handedness.")
    var noMirrors = false

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    func validate() throws {
        guard steps > 0, batch > 0, workers > 0, learningRate > 0, readers > 0, probeInterval > 0,
            noiseVariance >= 0,
            probeCount > 1, simulated >= 0
        else {
            throw ValidationError("steps, batch, workers, readers, learning rate and intervals must be positive")
        }
    }

    func run() throws {
        let interruption = Interruption()
        var augmentation = StampAugmentation.survey
        augmentation.mirrors = !noMirrors
        var network = model.configuration
        if let size { network.encoder.imageSize = size }
        network.noiseVariance = noiseVariance
        let configuration = PretrainingConfiguration(
            model: network, batchSize: batch, steps: steps, learningRate: learningRate, seed: seed,
            precision: precision, workers: workers)
        let size = configuration.model.encoder.imageSize

        let objects = try FileDiscovery().objects(in: paths)
        let corpus = try readCorpus(objects, size: size)
        let stamps = try CorpusStamps(
            corpus, size: size, crop: crop,
            spectrum: SpectralGrid.optical, augmentation: augmentation)

        var pretrainer = try Pretrainer(configuration, source: stamps, folder: output, initial: from)
        var probe = try probeLabels.map { path in
            try PretrainingProbe(
                ProbeLabels(path: path, column: probeColumn), objects: objects, normalization: stamps.normalization,
                limit: probeCount, folder: output, step: pretrainer.step)
        }
        let judges = DataParallel(workers: workers)
        if !corpus.failures.isEmpty {
            let rows = corpus.failures.map { "\($0.id)\t\($0.reason)" }.joined(separator: "\n")
            try (rows + "\n").write(toFile: output + "/failures.tsv", atomically: true, encoding: .utf8)
        }
        let training = Progress(
            "training ", total: steps, unit: "steps", startingAt: pretrainer.step, enabled: !quiet)
        let started = pretrainer.step
        var smoothed: Float?
        var accuracy: Double?
        let backbone = pretrainer.network.encoder
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let metadata = [
            Embedder.normalizationKey: String(decoding: try encoder.encode(stamps.normalization), as: UTF8.self),
            "pretraining":
                "masked autoencoder, \(steps) steps of \(batch) stamps, seed \(seed), \(corpus.count) images, \(simulated) of them simulated",
            "pretraining_begin": from.map { "weights of \(($0 as NSString).lastPathComponent)" } ?? "random weights",
            "creator": "lenticular \(ProgramVersion.current)",
        ]
        try pretrainer.run(metadata: metadata) { progress in
            smoothed = smoothed.map { $0 + 0.02 * (progress.loss - $0) } ?? progress.loss
            if progress.step % probeInterval == 0 || progress.step == steps {
                accuracy = try? probe?.look(at: backbone, step: progress.step, parallel: judges)
            }
            let note = "loss \(fixed(smoothed!, 4))" + (accuracy.map { ", probe \(fixed($0, 3))" } ?? "")
            training.update(progress.step, note: note)
            return !interruption.requested
        }
        training.finish(pretrainer.step, note: smoothed.map { "loss \(fixed($0, 4))" })
        try LossFigure(folder: output).draw()
        try PretrainingProbe.draw(folder: output)
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

    /// The pictures of the files, and simulated ones.
    private func readCorpus(_ objects: [ObjectFiles], size: Int) throws -> PretrainingCorpus {
        let reading = Progress("reading  ", total: objects.count, unit: "images", enabled: !quiet)
        var corpus = try PretrainingCorpus(
            objects: objects, size: CorpusStamps.pictureSize(for: size), crop: crop, tilingFields: true,
            readers: readers
        ) {
            reading.update($0)
        }
        reading.finish(objects.count, failures: corpus.failures.count)
        guard simulated > 0 else { return corpus }
        let simulating = Progress("simulating", total: simulated, unit: "galaxies", enabled: !quiet)
        let simulator = GalaxySimulator(seed: seed, unusualShare: 0.3)
        try OrderedStream(readers: workers, workers: 1).run(
            count: simulated, load: { simulator.object($0) }, process: { _, object in object },
            write: { index, object in
                corpus.append(object.image, id: object.truth.id)
                simulating.update(index + 1)
                return true
            })
        simulating.finish(simulated)
        return corpus
    }
}

/// The networks that can be pre-trained.
enum PretrainingModel: String, ExpressibleByArgument {
    case stamp128, stamp64

    /// With as many channels as the spectral grid has wavelengths.
    var configuration: MaskedAutoencoderConfiguration {
        var configuration: MaskedAutoencoderConfiguration = self == .stamp128 ? .stamp128 : .stamp64
        configuration.encoder.channels = SpectralGrid.optical.count
        return configuration
    }
}

extension Precision: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension AttentionVariant: ExpressibleByArgument {}

extension StampNormalization.Crop: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
