import AstroIO
import Datasets
import Foundation
import Inference
import Models
import Pipelines
import Tensors
import Training

/// A trained model with what is needed to judge it.
struct TrainedMorphology {
    var classifier: MorphologyClassifier
    var split: LabelSplit
    /// Of the test part, in its order.
    var answers: [MorphologyAnswer]
    /// Of the training of a head.
    var samplesPerSecond: Double?
    var seconds: Double
}

/// Images, labels and backbone of one training: what the commands share.
struct MorphologySession {
    /// Of the images that can be read, once ``readFeatures(views:)`` or ``readStamps(mirrors:)`` looked at them.
    private(set) var labels: MorphologyLabels
    let backbone: MorphologyBackbone
    let backboneName: String
    let backboneDigest: String
    let cacheFolder: String?
    let workers: Int
    let quiet: Bool
    private(set) var unreadable: [LabelFailure] = []
    private(set) var features: MorphologyFeatures?
    private var views = 1

    init(
        labels: MorphologyLabels, backbone: MorphologyBackbone, backboneName: String, backboneDigest: String,
        cacheFolder: String?, workers: Int, quiet: Bool
    ) {
        self.labels = labels
        self.backbone = backbone
        self.backboneName = backboneName
        self.backboneDigest = backboneDigest
        self.cacheFolder = cacheFolder
        self.workers = workers
        self.quiet = quiet
    }

    var allFailures: [LabelFailure] { labels.failures + unreadable }
    var failures: Int { allFailures.count }

    private var pooling: MorphologyPooling { .frozen(of: backbone.model) }

    /// Computes the vectors of all images, or takes them from the cache. Images that cannot be read are dropped.
    mutating func readFeatures(views: Int) throws {
        self.views = views
        let extractor = FeatureExtractor(
            backbone, digest: backboneDigest, pooling: pooling, views: views, workers: workers)
        let progress = Progress("vectors ", total: labels.count, unit: "images", enabled: !quiet)
        let found = try extractor.features(of: labels.objects, cacheFolder: cacheFolder) { progress.update($0) }
        progress.finish(
            labels.count, failures: found.failures.count, note: "\(found.computed) new, the others from the cache")
        drop(found.failures.map { ($0.index, $0.reason) })
        features = MorphologyFeatures(found.values, width: extractor.width)
    }

    /// Decodes all images for augmentation. Images that cannot be read are dropped.
    mutating func readStamps(mirrors: Bool) throws -> CorpusStamps {
        var augmentation = StampAugmentation()
        augmentation.mirrors = mirrors
        let progress = Progress("reading ", total: labels.count, unit: "images", enabled: !quiet)
        // Ids of a table may repeat; places do not.
        let objects = labels.objects.enumerated().map { place, object in
            var object = object
            object.id = "\(place)"
            return object
        }
        let corpus = try PretrainingCorpus(
            objects: objects, size: CorpusStamps.pictureSize(for: backbone.stampSize),
            crop: backbone.normalization.crop, readers: workers
        ) { progress.update($0) }
        progress.finish(labels.count, failures: corpus.failures.count)
        drop(corpus.failures.map { (Int($0.id)!, $0.reason) })
        return CorpusStamps(corpus, normalization: backbone.normalization, augmentation: augmentation)
    }

    private mutating func drop(_ failed: [(index: Int, reason: String)]) {
        guard !failed.isEmpty else { return }
        for (index, reason) in failed {
            unreadable.append(LabelFailure(row: 0, id: labels.objects[index].id, reason: reason))
        }
        labels = labels.without(Set(failed.map(\.index)))
    }

    /// Trains a head on the vectors.
    func trainHead(_ settings: HeadSettings, split: LabelSplit) throws -> TrainedMorphology {
        let clock = ContinuousClock()
        let start = clock.now
        let progress = Progress("training", total: 100, unit: "%", enabled: !quiet)
        let result = try HeadTrainer(
            settings, features: features!, labels: labels, reference: split.reference(of: labels)
        ).train(split) {
            progress.update(Int($0 * 100))
        }
        progress.finish(100)
        let configuration = MorphologyConfiguration(
            target: labels.target, pooling: pooling, tokenWidth: backbone.width, hidden: settings.hidden,
            members: settings.members, views: views, calibration: result.calibration, backboneName: backboneName,
            backboneDigest: backboneDigest)
        let classifier = MorphologyClassifier(
            MorphologyNetwork(backbone: nil, head: result.head, pooling: pooling), configuration, on: backbone)
        return TrainedMorphology(
            classifier: classifier, split: split,
            answers: classifier.answers(features: features!.numbers(split.test)),
            samplesPerSecond: result.samplesPerSecond, seconds: (clock.now - start) / .seconds(1))
    }

    /// Trains backbone and head from augmented stamps.
    ///
    /// - Returns: nil if it was interrupted.
    func trainNetwork(
        _ settings: NetworkSettings, pretrained: Bool, members: Int, stamps: CorpusStamps, split: LabelSplit,
        folder: String?, isInterrupted: @escaping () -> Bool
    ) throws -> TrainedMorphology? {
        let clock = ContinuousClock()
        let begun = clock.now
        var configuration = MorphologyConfiguration(
            target: labels.target, pooling: pretrained ? pooling : .last(of: backbone.model),
            tokenWidth: backbone.width,
            hidden: 0, members: members, views: settings.views, backbone: backbone.model.configuration,
            backboneName: pretrained ? backboneName : nil, backboneDigest: pretrained ? backboneDigest : nil)
        // Trained in place: the weights must be this network's own.
        let network = try MorphologyNetwork(
            configuration, from: .random(seed: settings.seed, on: CPUBackend(threads: 1)))
        if pretrained {
            var head = HeadSettings.standard(hidden: false, seed: settings.seed, workers: min(settings.workers, 4))
            (head.members, head.folds) = (members, 1)
            let start = try HeadTrainer(
                head, features: features!, labels: labels, reference: split.reference(of: labels)
            ).fit(split.train).head
            network.takeWeights(backbone: backbone.model, head: start)
        }
        let trainer = NetworkTrainer(settings, stamps: stamps, labels: labels)
        let progress = Progress("training", total: trainer.steps(split), unit: "steps", enabled: !quiet)
        var smoothed: Float?
        let result = try trainer.train(network, split, folder: folder) { state in
            smoothed = smoothed.map { $0 + 0.05 * (state.loss - $0) } ?? state.loss
            let validation = state.bestValidation.map { ", validation \(fixed($0, 4))" } ?? ""
            progress.update(state.step, note: "loss \(fixed(smoothed!, 4))\(validation)")
            return !isInterrupted()
        }
        guard let result else { return nil }
        progress.finish(trainer.steps(split), note: smoothed.map { "loss \(fixed($0, 4))" })
        configuration.calibration = result.calibration
        let classifier = MorphologyClassifier(result.network, configuration, on: backbone)
        return TrainedMorphology(
            classifier: classifier, split: split,
            answers: classifier.answers(logits: try trainer.logits(result.network, split.test)),
            seconds: (clock.now - begun) / .seconds(1))
    }
}
