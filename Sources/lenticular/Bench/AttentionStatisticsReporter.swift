import ArgumentParser
import Datasets
import Foundation
import Inference
import Kernels
import Models
import Pipelines
import Tensors
import Training

/// Options of `bench attention --statistics`.
struct AttentionStatisticsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder with the images to look at; the sample that ships when not given.", valueName: "folder"))
    var images: String?

    @Option(help: "Model by name, or a .safetensors file.")
    var model = "default"

    @Option(
        help: """
            A network with random weights in place of the model, for contrast: tiny, small, base, stamp64.
            """)
    var untrained: String?

    @Option(help: "Side of the images in pixels, a multiple of the patch size; the model's own when not given.")
    var imageSize: Int?

    @Option(help: "Images to look at, at regular distances among those there are.")
    var count = 8

    @Option(help: "Of these, the first so many also go through the attention kernels.")
    var kernelCount = 2

    @Option(help: "Of the random token order, the needles and untrained weights.")
    var seed: UInt64 = 0

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    func validate() throws {
        if count < 1 { throw ValidationError("--count: expected at least 1") }
        if kernelCount < 0 { throw ValidationError("--kernel-count: expected at least 0") }
        if let untrained, Self.network(untrained) == nil {
            throw ValidationError("--untrained: no network is called '\(untrained)'")
        }
    }

    private static func network(_ name: String) -> ViTConfiguration? {
        BackboneBenchmark.Subject.all.first { $0.name == name }?.configuration
    }

    /// The network, how its images are made, and what to call it.
    func load() throws -> (model: VisionTransformer, normalization: StampNormalization, name: String) {
        let embedder = try Embedder(path: InstalledFiles.model(named: model))
        var (network, normalization, name) = (embedder.model, embedder.normalization, model)
        if let untrained, let configuration = Self.network(untrained) {
            network = try VisionTransformer(configuration, seed: seed, backend: CPUBackend(threads: 1))
            normalization.size = configuration.imageSize
            name = "\(untrained) with random weights"
        }
        if let imageSize {
            let patch = network.configuration.patchSize
            guard imageSize > 0, imageSize % patch == 0 else {
                throw ValidationError("--image-size: expected a multiple of the patch size \(patch), got \(imageSize)")
            }
            normalization.size = imageSize
        }
        return (network, normalization, name)
    }

    /// The objects to look at.
    func objects() throws -> [ObjectFiles] {
        let all = try FileDiscovery().objects(in: [images ?? InstalledFiles.sample()])
        let wanted = min(count, all.count)
        return (0..<wanted).map { all[$0 * all.count / wanted] }
    }
}

/// `bench attention --statistics`: what VFA relies on, measured on a backbone and images.
struct AttentionStatisticsReporter {
    let options: AttentionStatisticsOptions
    let json: JSONOption
    /// Folder for the pictures.
    let plots: String?
    let workers: Int

    /// What is written as JSON.
    private struct Figures: Encodable {
        var program = "lenticular \(ProgramVersion.current)"
        var model: String
        var imageSize: Int
        var patchSize: Int
        /// Ids of the images.
        var objects: [String]
        var statistics: AttentionStatisticsReport
        var kernels: Kernels
    }

    /// What the kernels did.
    private struct Kernels: Encodable {
        /// The first so many of the images.
        var images: Int
        var workers: Int
        var instructionSet: String
        var repetitions: Int
        var rows: [AttentionKernelStudy.Row]
    }

    func run() throws {
        let (model, normalization, name) = try options.load()
        let objects = try options.objects()
        let reader = StampReader(normalization: normalization)
        let pool = WorkerPool(threads: workers)
        let (size, patch) = (normalization.size, model.configuration.patchSize)
        let grid = TokenGrid(prefix: model.configuration.prefixCount, rows: size / patch, columns: size / patch)
        var settings = AttentionStatistics.Settings()
        settings.seed = options.seed
        var statistics = AttentionStatistics(settings: settings)
        var kernelStudy = AttentionKernelStudy()
        let progress = Progress("attention", total: objects.count, unit: "images", enabled: !options.quiet)
        var studied: [String] = []
        var failures: [StampError] = []
        for (index, object) in objects.enumerated() {
            do {
                let stamp = try reader.stamp(of: object)
                let image = Tensor(stamp.values, shape: [1, 3, size, size], on: model.backend)
                let heads = AttentionHead.capture(image, in: model)
                statistics.add(heads, grid: grid, pool: pool)
                if kernelStudy.images < options.kernelCount { kernelStudy.add(heads, grid: grid, pool: pool) }
                studied.append(object.id)
            } catch {
                failures.append(error)
            }
            progress.update(index + 1, failures: failures.count)
        }
        progress.finish(objects.count, failures: failures.count)
        if let failure = failures.first, studied.isEmpty { throw failure }

        let report = statistics.report()
        print(
            "\(name), \(size) pixels, \(report.tokens) tokens, \(model.configuration.depth) layers of "
                + "\(model.configuration.heads) heads; \(report.images) images, seed \(options.seed)")
        let kernels = Kernels(
            images: kernelStudy.images, workers: workers, instructionSet: InstructionSet.best.description,
            repetitions: kernelStudy.repetitions, rows: kernelStudy.rows())
        AttentionStatisticsTables(report: report).print()
        if kernels.images > 0 {
            print("\nKernels on \(kernels.images) images: \(kernels.workers) workers, \(kernels.instructionSet)")
            AttentionKernelTable(rows: kernels.rows).print()
        }
        try json.write(
            Figures(
                model: name, imageSize: size, patchSize: patch, objects: studied, statistics: report, kernels: kernels))
        if let folder = plots {
            try AttentionStatisticsPlots(report: report).write(to: folder)
        }
    }
}
