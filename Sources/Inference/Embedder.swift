import Datasets
import Foundation
import Models
import Tensors

/// A backbone ready to compute embeddings of stamps. A value: worker threads share one, each with its own batch.
public struct Embedder: Sendable {
    /// The key of a checkpoint's metadata under which training left its normalisation, as JSON.
    public static let normalizationKey = "stamp_normalization"

    public let model: VisionTransformer
    /// How stamps must be made for this model.
    public let normalization: StampNormalization
    public let attention: AttentionVariant

    /// Numbers in an embedding.
    public var width: Int { model.configuration.embeddingWidth }

    /// Loads a checkpoint.
    ///
    /// A checkpoint of another program says nothing about normalisation: it gets ImageNet's mean and deviation, and the
    /// image size that its position embedding is for.
    /// - Parameter threads: 1 for one embedder shared by a worker a core.
    /// - Throws: `InferenceError` naming what is missing or does not fit.
    public init(
        path: String, precision: DType = .float32, attention: AttentionVariant = .vfa, threads: Int = 1
    ) throws(InferenceError) {
        do {
            model = try VisionTransformer.load(
                path: path, backend: CPUBackend(threads: threads), precision: precision)
        } catch {
            throw InferenceError(path: path, error.description)
        }
        guard model.configuration.channels == 3 else {
            throw InferenceError(path: path, "the model takes \(model.configuration.channels) channels; stamps have 3")
        }
        let metadata: [String: String]
        do { metadata = try Safetensors(path: path).metadata } catch {
            throw InferenceError(path: path, error.description)
        }
        if let json = metadata[Self.normalizationKey] {
            do {
                normalization = try JSONDecoder().decode(StampNormalization.self, from: Data(json.utf8))
            } catch {
                throw InferenceError(path: path, "\(Self.normalizationKey) is not a normalisation: \(error)")
            }
        } else {
            normalization = StampNormalization(
                size: model.configuration.imageSize, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
        }
        guard normalization.size % model.configuration.patchSize == 0 else {
            throw InferenceError(
                path: path, "stamps of \(normalization.size) pixels are no multiple of the patch size \(model.configuration.patchSize)")
        }
        self.attention = attention
    }

    /// Embeddings of stamps, count × width.
    ///
    /// - Parameter stamps: count × 3 × size × size numbers, normalised.
    public func embed(_ stamps: [Float], count: Int) -> [Float] {
        guard count > 0 else { return [] }
        return model.embed(
            batch: stamps, count: count, height: normalization.size, width: normalization.size, attention: attention)
    }
}
