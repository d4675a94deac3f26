import Datasets
import Foundation
public import Models
public import Tensors

/// A morphology model ready to answer. A value: worker threads share one.
///
/// A model file holds a head, and the backbone where that was trained with it; else it names the backbone by the digest of its
/// file, and no other is accepted.
public struct MorphologyClassifier: Sendable {
    public let configuration: MorphologyConfiguration
    /// Also says how stamps must be made.
    public let backbone: MorphologyBackbone
    private let network: MorphologyNetwork

    public var target: MorphologyTarget { configuration.target }

    /// A model of parts.
    ///
    /// - Parameter backbone: that which the head learnt on; of the network's own only the normalisation counts.
    public init(_ network: MorphologyNetwork, _ configuration: MorphologyConfiguration, on backbone: MorphologyBackbone)
    {
        self.network = network
        self.configuration = configuration
        self.backbone =
            network.backbone.map {
                MorphologyBackbone(
                    $0, normalization: backbone.normalization, precision: backbone.execution.precision)
            } ?? backbone
    }

    /// Loads a model file.
    ///
    /// - Parameter locate: path and digest of the backbone with a name, for models that do not hold one.
    /// - Throws: `InferenceError` for a file that is no morphology model, or whose backbone is another one.
    public init(
        path: String, precision: Precision = .float32,
        locate: (_ name: String) throws -> (path: String, digest: String)
    ) throws {
        let loaded: (network: MorphologyNetwork, configuration: MorphologyConfiguration, metadata: [String: String])
        do {
            loaded = try ModelFile.load(
                path: path, task: MorphologyNetwork.task, backend: CPUBackend(threads: 1)
            ) { (configuration: MorphologyConfiguration, source) throws(ModelError) in
                try MorphologyNetwork(configuration, from: source)
            }
        } catch { throw InferenceError(path: path, error.details) }
        guard let json = loaded.metadata[Embedder.normalizationKey],
            let normalization = try? JSONDecoder().decode(StampNormalization.self, from: Data(json.utf8))
        else { throw InferenceError(path: path, "does not say how stamps are made (\(Embedder.normalizationKey))") }
        configuration = loaded.configuration
        network = precision == .float32 ? loaded.network : loaded.network.withBackbone(in: precision)
        if let own = network.backbone {
            backbone = MorphologyBackbone(own, normalization: normalization, precision: precision)
            return
        }
        let name = configuration.backboneName ?? "default"
        let (backbonePath, digest) = try locate(name)
        guard digest == configuration.backboneDigest else {
            throw InferenceError(
                path: path,
                "was trained on another backbone than \(backbonePath): its digest is "
                    + "\((configuration.backboneDigest ?? "").prefix(12))…, that of the file \(digest.prefix(12))…")
        }
        let model = try MorphologyBackbone(path: backbonePath, precision: precision).model
        guard model.configuration.width == configuration.tokenWidth,
            configuration.pooling.layers.allSatisfy({ $0 <= model.blocks.count })
        else { throw InferenceError(path: path, "does not fit the backbone \(backbonePath)") }
        backbone = MorphologyBackbone(model, normalization: normalization, precision: precision)
    }

    /// Writes a model file.
    ///
    /// - Parameter metadata: where it comes from.
    /// - Throws: `ModelError`.
    public func save(to path: String, metadata: [String: String] = [:]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var metadata = metadata
        metadata[Embedder.normalizationKey] = String(
            decoding: try encoder.encode(backbone.normalization), as: UTF8.self)
        // A whole network is stored in half the bytes; heads are small, and what was calibrated stays as it is.
        try ModelFile.save(
            network, task: MorphologyNetwork.task, configuration: configuration,
            storage: network.backbone == nil ? .float32 : .bfloat16, metadata: metadata, to: path)
    }

    /// What the model says of stamps.
    ///
    /// - Parameter stamps: count × channels × size × size numbers, normalised.
    public func answers(_ stamps: [Float]) -> [MorphologyAnswer] {
        guard !stamps.isEmpty else { return [] }
        guard network.backbone != nil else {
            return answers(
                features: backbone.features(of: stamps, pooling: configuration.pooling, views: configuration.views))
        }
        var sum: [Float] = []
        for view in 0..<configuration.views {
            let images = backbone.images(backbone.turned(stamps, view: view))
            let logits = network.head(network.features(images, backbone.execution)).floats()
            if sum.isEmpty { sum = logits } else { for index in sum.indices { sum[index] += logits[index] } }
        }
        return answers(logits: sum.map { $0 / Float(configuration.views) })
    }

    /// What the head says of pooled vectors.
    public func answers(features: [Float]) -> [MorphologyAnswer] {
        let width = configuration.featureWidth
        let count = features.count / width
        return answers(
            logits: network.head(Tensor(features, shape: [count, width], on: network.head.inputMean.backend)).floats())
    }

    /// Calibrated answers from logits, row by row.
    public func answers(logits: [Float]) -> [MorphologyAnswer] {
        let width = target.outputCount
        return stride(from: 0, to: logits.count, by: width).map {
            target.answer(logits[$0..<($0 + width)], configuration.calibration)
        }
    }
}

extension MorphologyNetwork {
    /// A copy whose backbone's weights are stored for a precision; the head stays float32.
    fileprivate func withBackbone(in precision: Precision) -> MorphologyNetwork {
        MorphologyNetwork(backbone: backbone?.converted(to: precision), head: head, pooling: pooling)
    }
}
