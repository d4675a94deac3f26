import ArgumentParser
import AstroIO
import Datasets
import Foundation
import Inference
import Models
import Pipelines
import Tensors
import Training

struct TrainMorphologyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "morphology",
        abstract: "Train a model that says what galaxies look like, from labelled images.",
        discussion: """
            Labels come from a table (CSV, ECSV, FITS, VOTable): the name of a class (--column), several columns between 0 and 1 \
            (--multilabel), or the votes for a decision tree (--tree desi, --tree gz2, or a YAML file). Rows find their images by \
            file name or id; rows that cannot be used are listed in failures.ecsv.

              lenticular train morphology --labels labels.csv --column class5 --output RUN

            The run folder gets model.safetensors (give it to classify), metrics.json with 95 % intervals on images that were \
            held out, predictions.ecsv for these, and figures.

            Exit status: 0 all rows used; 3 finished, some rows or images could not be used; 130 interrupted.
            """)

    /// How much of the network is trained.
    enum Mode: String, ExpressibleByArgument, CaseIterable {
        case linear, mlp, finetune, scratch
    }

    @OptionGroup var data: MorphologyDataOptions

    @Option(
        help: """
            linear: a linear head on the frozen backbone; mlp: two layers; finetune: head and backbone; scratch: the same network \
            without pre-training.
            """)
    var mode: Mode = .linear

    @Option(help: "Train on this many images of each class only.")
    var fewShot: Int?

    @Option(help: "Part of the images that is held out to judge; 0 for none.")
    var testShare = 0.2

    @Option(help: ArgumentHelp("Column that says train, val or test.", valueName: "name"))
    var splitColumn: String?

    @Option(help: "Views of an image that are averaged: 1, 4 (quarter turns) or 8 (mirrored too).")
    var views: Int?

    @Option(help: "Epochs of finetune and scratch.")
    var epochs: Double?

    @Option(help: "Images a step of finetune and scratch.")
    var batch = 64

    @Option(help: "Highest learning rate; of the head, where the backbone is trained too.")
    var learningRate: Float?

    @Option(help: "Weight decay of linear and mlp.")
    var weightDecay: Float?

    @Option(help: "Heads that are averaged.")
    var members: Int?

    @Option(help: "Seed of splits, weights, order and views.")
    var seed: UInt64 = 0

    @Option(help: "Data-parallel workers; another number gives another rounding.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Arithmetic of the backbone's products: float32 or bfloat16.")
    var precision: Precision = .bfloat16

    @Flag(
        help:
            "Mirror images are no views: for labels that depend on how arms wind. Found by itself for names like clockwise."
    )
    var noMirrors = false

    @Option(name: .shortAndLong, help: "Run folder.")
    var output: String

    @Flag(help: "Replace an earlier model in the same folder.")
    var overwrite = false

    @Flag(name: .shortAndLong, help: "No progress bar and no summary.")
    var quiet = false

    func validate() throws {
        try data.validate()
        if !(0..<1).contains(testShare) { throw ValidationError("--test-share: expected 0 or more and less than 1") }
        if let views, ![1, 4, 8].contains(views) { throw ValidationError("--views: expected 1, 4 or 8") }
        if let fewShot, fewShot < 1 { throw ValidationError("--few-shot: expected at least 1") }
        guard workers > 0, batch > 0, epochs.map({ $0 > 0 }) ?? true, learningRate.map({ $0 > 0 }) ?? true,
            members.map({ (1...64).contains($0) }) ?? true, weightDecay.map({ $0 >= 0 }) ?? true, precision != .int8
        else {
            throw ValidationError("numbers must be positive, members at most 64, and precision float32 or bfloat16")
        }
    }

    func run() throws {
        let interruption = Interruption()
        let folder = try MorphologyFolder(
            output, overwrite: overwrite, resumable: mode == .finetune || mode == .scratch)
        var session = try data.session(
            precision: precision, workers: workers, splitColumn: splitColumn, minimumPerClass: 3, quiet: quiet)
        let mirrors = !noMirrors && !session.labels.target.isHanded
        let views = views ?? (mirrors ? 8 : 4)
        if !mirrors && views == 8 {
            throw ValidationError("--views 8 mirrors images, but the labels depend on how arms wind")
        }

        let trained: TrainedMorphology
        switch mode {
        case .linear, .mlp:
            var settings = HeadSettings.standard(hidden: mode == .mlp, seed: seed, workers: min(workers, 4))
            if learningRate != nil || weightDecay != nil { settings.strengths = [1] }
            if let learningRate { settings.learningRate = learningRate }
            if let members { settings.members = members }
            if let weightDecay { settings.weightDecay = weightDecay }
            try session.readFeatures(views: views)
            trained = try session.trainHead(settings, split: try split(session.labels))
        case .finetune, .scratch:
            var settings = mode == .scratch ? NetworkSettings.scratch : NetworkSettings()
            if let epochs { settings.epochs = epochs }
            if let learningRate { settings.learningRate = learningRate }
            (settings.batchSize, settings.views, settings.seed) = (batch, views, seed)
            (settings.precision, settings.workers) = (precision, workers)
            // Fine-tuning begins from the head that the frozen backbone gives.
            if mode == .finetune { try session.readFeatures(views: views) }
            let stamps = try session.readStamps(mirrors: mirrors)
            guard
                let result = try session.trainNetwork(
                    settings, pretrained: mode == .finetune, members: members ?? 1, stamps: stamps,
                    split: try split(session.labels), folder: output, isInterrupted: { interruption.requested })
            else {
                print("Interrupted; the same command continues.")
                throw ExitCode(130)
            }
            trained = result
        }
        let failures = session.failures
        try folder.write(trained, session: session, mode: mode.rawValue, seed: seed, quiet: quiet)
        if failures > 0 { throw ExitCode(3) }
    }

    private func split(_ labels: MorphologyLabels) throws -> LabelSplit {
        var split =
            try splitColumn.map { try LabelSplit(labels, column: $0) }
            ?? LabelSplit(labels, testShare: testShare, seed: seed)
        if let fewShot { split.keep(perClass: fewShot, of: labels, seed: seed) }
        return split
    }
}
