import ArgumentParser
import Foundation
import ImageProcessing
import Inference
import Pipelines

/// How sources are found: shared by the commands that detect.
struct DetectionOptions: ParsableArguments {
    enum Method: String, CaseIterable, ExpressibleByArgument {
        case network, sep
    }

    @Option(
        help:
            "network: a trained network; sep: classical extraction as SExtractor does it. By default the network if one is installed or given with --model, else sep."
    )
    var method: Method?

    @Option(help: "Detection network (path, or name below data/models) instead of the one that comes with the program.")
    var model: String?

    @Option(
        help:
            "sep: threshold in units of the noise, 1.5 by default. network: smallest score, 0 … 1; the model's own by default."
    )
    var threshold: Double?

    @Option(help: "sep: smallest source, pixels.")
    var minimumArea = 5

    @Option(help: "sep: deblending contrast (DEBLEND_MINCONT); 1 for no deblending.")
    var deblendContrast = 0.005

    @Option(help: "Side of the boxes in which the sky is measured, pixels: 64 for sep, the model's own for network.")
    var backgroundBox: Int?

    @Flag(help: "network: also list what is most probably an artefact (trail, cosmic ray, spike), with class artefact.")
    var keepArtefacts = false

    @Option(help: "Threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    func validate() throws {
        guard workers > 0, minimumArea > 0, (0...1).contains(deblendContrast), backgroundBox.map({ $0 > 3 }) ?? true
        else {
            throw ValidationError(
                "workers and minimum area must be positive, the contrast within 0 … 1, background boxes of 4 pixels or more"
            )
        }
        if let threshold {
            guard threshold > 0, chosen == .sep || threshold < 1 else {
                throw ValidationError("--threshold: expected above 0, and for a network below 1")
            }
        }
    }

    private var chosen: Method {
        method ?? (model != nil || (try? InstalledFiles.model(named: "detection")) != nil ? .network : .sep)
    }

    /// - Throws: `InferenceError` for a model that cannot be used.
    func detector() throws -> SourceDetector {
        var detector: SourceDetector
        switch chosen {
        case .sep:
            detector = .sep(
                SourceExtractor.Settings(
                    threshold: threshold ?? 1.5, minimumArea: minimumArea, deblendContrast: deblendContrast))
        case .network:
            detector = try .network(
                path: InstalledFiles.model(named: model ?? "detection"), workers: workers,
                threshold: threshold.map(Float.init), keepsArtefacts: keepArtefacts)
        }
        if let backgroundBox { detector.background.box = backgroundBox }
        return detector
    }
}
