public import Datasets
import Foundation
public import Models

/// Pooled vectors of images, from a cache where they are known.
public struct FeatureExtractor: Sendable {
    public let backbone: MorphologyBackbone
    /// Digest of the backbone's file: vectors of another backbone are no use.
    public let digest: String
    public let pooling: MorphologyPooling
    /// Views that are averaged: 1, 4 or 8.
    public let views: Int
    public var workers: Int

    /// Numbers in a vector.
    public var width: Int { pooling.width(tokenWidth: backbone.width) }

    public init(
        _ backbone: MorphologyBackbone, digest: String, pooling: MorphologyPooling, views: Int, workers: Int
    ) {
        self.backbone = backbone
        self.digest = digest
        self.pooling = pooling
        self.views = views
        self.workers = workers
    }

    /// What the vectors depend on, as a file name.
    public var cacheName: String {
        let layers = pooling.layers.map(String.init).joined(separator: "-")
        let statistics = pooling.statistics.map { $0.rawValue.prefix(1) }.joined()
        let crop = "\(backbone.normalization.crop)".filter { $0.isLetter || $0.isNumber || $0 == "." }
        return
            "\(digest.prefix(16))-\(layers)-\(statistics)-\(views)-\(backbone.stampSize)-\(crop)-\(backbone.execution.precision)"
    }

    /// Vectors of objects; objects that cannot be read are left out and named.
    public struct Features: Sendable {
        /// Places of the objects that have a vector, rising.
        public var indices: [Int]
        /// A row for each of them.
        public var values: [Float]
        public var failures: [(index: Int, reason: String)]
        /// Vectors that had to be computed.
        public var computed: Int
    }

    /// - Parameters:
    ///   - cacheFolder: nil keeps nothing.
    ///   - progress: called with the number of objects whose vector is known.
    public func features(
        of objects: [ObjectFiles], cacheFolder: String?, progress: (Int) -> Void = { _ in }
    ) throws -> Features {
        let cache = try cacheFolder.map { folder throws(InferenceError) in
            try FeatureCache(folder: folder, name: cacheName, width: self.width)
        }
        let keys = objects.map { FeatureCache.key($0.paths) }
        let wanted =
            cache.map { cache in objects.indices.filter { !cache.contains(keys[$0]) } } ?? Array(objects.indices)
        var fresh: [Int: [Float]] = [:]
        var failures: [(index: Int, reason: String)] = []
        let reader = StampReader(normalization: backbone.normalization)
        let batch = 32
        let known = objects.count - wanted.count
        let (backbone, pooling, views, width) = (backbone, pooling, views, width)
        try OrderedStream(readers: max(1, workers / 2), workers: workers).run(
            count: (wanted.count + batch - 1) / batch,
            load: { piece -> (indices: [Int], stamps: [Float], failures: [(Int, String)]) in
                var result: (indices: [Int], stamps: [Float], failures: [(Int, String)]) = ([], [], [])
                for index in wanted[(piece * batch)..<min((piece + 1) * batch, wanted.count)] {
                    do throws(StampError) {
                        result.stamps += try reader.stamp(of: objects[index]).values
                        result.indices.append(index)
                    } catch { result.failures.append((index, error.reason)) }
                }
                return result
            },
            process: { _, loaded in
                let values =
                    loaded.indices.isEmpty
                    ? [] : backbone.features(of: loaded.stamps, pooling: pooling, views: views)
                return (indices: loaded.indices, values: values, failures: loaded.failures)
            },
            write: { piece, result in
                failures += result.failures.map { (index: $0.0, reason: $0.1) }
                // Two objects may be one file.
                let new = cache.map { cache in
                    result.indices.indices.filter { !cache.contains(keys[result.indices[$0]]) }
                }
                if let cache, let new {
                    try cache.append(
                        new.map { keys[result.indices[$0]] },
                        new.flatMap { result.values[($0 * width)..<(($0 + 1) * width)] })
                } else {
                    for (place, index) in result.indices.enumerated() {
                        fresh[index] = Array(result.values[(place * width)..<((place + 1) * width)])
                    }
                }
                progress(known + min((piece + 1) * batch, wanted.count))
                return true
            })
        let failed = Set(failures.map(\.index))
        let indices = objects.indices.filter { !failed.contains($0) }
        let values: [Float]
        if let cache {
            values = try cache.values(indices.map { keys[$0] })
        } else {
            values = indices.flatMap { fresh[$0]! }
        }
        return Features(indices: indices, values: values, failures: failures, computed: wanted.count - failures.count)
    }
}
