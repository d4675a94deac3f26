import Datasets
import Foundation
import Kernels
import Models
import Tensors

/// A backbone ready to compute embeddings of stamps. A value: worker threads share one, each with its own batch.
public struct Embedder: Sendable {
    /// The key of a checkpoint's metadata under which training left its normalisation, as JSON.
    public static let normalizationKey = "stamp_normalization"

    public let model: VisionTransformer
    /// How stamps must be made for this model.
    public internal(set) var normalization: StampNormalization
    /// How the network computes.
    public let execution: Execution
    /// Views of each stamp whose embeddings are averaged: 1, 4 (quarter turns) or 8 (and their mirror images). The sky has no
    /// up: with views, a galaxy's embedding hardly depends on how it is turned.
    public let views: Int

    /// Numbers in an embedding.
    public var width: Int { model.configuration.embeddingWidth }

    /// Loads a checkpoint.
    ///
    /// A checkpoint of another program says nothing about normalisation: it gets ImageNet's mean and deviation, and the
    /// image size that its position embedding is for.
    /// - Parameter threads: 1 for one embedder shared by a worker a core.
    /// - Throws: `InferenceError` naming what is missing or does not fit.
    public init(
        path: String, precision: Precision = .float32, attention: AttentionVariant = .automatic,
        order: GridOrder = .rows, views: Int = 1, threads: Int = 1
    ) throws(InferenceError) {
        do {
            model = try VisionTransformer.load(
                path: path, backend: CPUBackend(threads: threads), precision: precision)
        } catch {
            throw InferenceError(path: path, error.details)
        }
        let metadata: [String: String]
        do { metadata = try Safetensors(path: path).metadata } catch {
            throw InferenceError(path: path, error.reason)
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
        guard model.configuration.channels == normalization.channels else {
            throw InferenceError(
                path: path,
                "the model takes \(model.configuration.channels) channels; stamps have \(normalization.channels)")
        }
        guard normalization.size % model.configuration.patchSize == 0 else {
            throw InferenceError(
                path: path,
                "stamps of \(normalization.size) pixels are no multiple of the patch size \(model.configuration.patchSize)"
            )
        }
        precondition([1, 4, 8].contains(views), "[Embedder] expected 1, 4 or 8 views, got \(views)")
        execution = Execution(precision: precision, attention: attention, order: order)
        self.views = views
    }

    /// Embeddings of stamps, count × width.
    ///
    /// - Parameter stamps: count × channels × size × size numbers, normalised.
    public func embed(_ stamps: [Float], count: Int) -> [Float] {
        guard count > 0 else { return [] }
        var sum = embedding(of: stamps, count)
        guard views > 1 else { return sum }
        for view in 1..<views {
            let turned = embedding(of: Self.turned(stamps, side: normalization.size, view: view), count)
            for index in sum.indices { sum[index] += turned[index] }
        }
        let factor = 1 / Float(views)
        for index in sum.indices { sum[index] *= factor }
        return sum
    }

    private func embedding(of stamps: [Float], _ count: Int) -> [Float] {
        model.embed(
            batch: stamps, count: count, height: normalization.size, width: normalization.size,
            precision: execution.precision, attention: execution.attention, order: execution.order)
    }

    /// Square planes turned by `view` quarters anticlockwise; from 4 on mirrored first.
    package static func turned(_ planes: [Float], side: Int, view: Int) -> [Float] {
        let last = side - 1
        return [Float](unsafeUninitializedCapacity: planes.count) { out, count in
            planes.withUnsafeBufferPointer { source in
                for plane in stride(from: 0, to: planes.count, by: side * side) {
                    for y in 0..<side {
                        for x in 0..<side {
                            var (u, v) =
                                switch view & 3 {
                                case 0: (x, y)
                                case 1: (last - y, x)
                                case 2: (last - x, last - y)
                                default: (y, last - x)
                                }
                            if view >= 4 { u = last - u }
                            out[plane + y * side + x] = source[plane + v * side + u]
                        }
                    }
                }
            }
            count = planes.count
        }
    }
}
