import AstroIO
import Datasets
import Foundation
import ImageProcessing
import Inference
import Models
import Outliers
import Pipelines
import Tensors
import Training

/// The images of a set, read once: raw stamps and embeddings, the inliers before the outliers.
struct OutlierPool: Sendable {
    let names: [String]
    /// So many of the first are inliers.
    let inliers: Int
    /// Brightness, count × channels × size × size.
    let raw: VectorSet
    let embeddings: VectorSet
    /// Seconds an object.
    var readingSeconds: Double
    var embeddingSeconds: Double
    /// Defects and files that could not be read.
    let leftOut: Int

    var outliers: Int { names.count - inliers }

    private struct Item: Sendable {
        var name: String
        var isOutlier: Bool
        var raw: Stamp
        var normalised: Stamp
    }

    /// - Parameter most: inliers and outliers that are read at most, drawn by a fixed seed.
    init(
        _ set: OutlierSet, data: String, embedder: Embedder, most: (inliers: Int, outliers: Int), workers: Int,
        quiet: Bool
    ) throws {
        let readers = (
            raw: StampReader(normalization: AutoencoderStamps.raw()),
            embedding: StampReader(normalization: embedder.normalization)
        )
        let count: Int
        let load: @Sendable (Int) -> Item?
        switch set.source {
        case .table(let table, let rule):
            let (inliers, outliers) = try set.objects(data: data, table: table, rule)
            let chosen =
                Self.drawn(inliers, most.inliers).map { ($0, false) }
                + Self.drawn(outliers, most.outliers).map { ($0, true) }
            count = chosen.count
            load = { index in
                let (object, isOutlier) = chosen[index]
                guard let image = try? readers.raw.image(of: object) else { return nil }
                return Self.item(image, object, isOutlier, readers)
            }
        case .simulation(let rare):
            // A kind is 7 % of the objects; the other unusual kinds are left out.
            let simulator = GalaxySimulator(seed: 20, unusualShare: 0.35)
            count = max(most.inliers * 3 / 2, most.outliers * 100 / 7)
            load = { index in
                let object = simulator.object(index)
                guard object.truth.kind == rare || !object.truth.kind.isUnusual else { return nil }
                return Self.item(
                    object.image, ObjectFiles(id: object.truth.id, planes: [.init(path: object.truth.id)]),
                    object.truth.kind == rare, readers)
            }
        }
        let progress = Progress("reading  ", total: count, unit: "images", enabled: !quiet)
        var items: [Item] = []
        let clock = ContinuousClock()
        let started = clock.now
        try OrderedStream(readers: workers, workers: 1).run(
            count: count, load: load, process: { _, item in item },
            write: { index, item in
                if let item { items.append(item) }
                progress.update(index + 1)
                return true
            })
        progress.finish(count)
        readingSeconds = (clock.now - started) / .seconds(1) / Double(max(count, 1))
        let usable = items.filter {
            StampDefects.flags(of: $0.raw, channels: AutoencoderStamps.spectrum.count).isDisjoint(
                with: StampDefects.flags)
        }
        let all =
            usable.filter { !$0.isOutlier }.prefix(most.inliers) + usable.filter(\.isOutlier).prefix(most.outliers)
        names = all.map(\.name)
        inliers = all.count { !$0.isOutlier }
        leftOut = items.count - usable.count
        raw = VectorSet(
            count: all.count, width: AutoencoderStamps.spectrum.count * AutoencoderStamps.size * AutoencoderStamps.size,
            values: all.flatMap(\.raw.values))
        let begun = clock.now
        embeddings = try Self.vectors(all.map(\.normalised.values), .backbone(embedder), workers: workers)
        embeddingSeconds = (clock.now - begun) / .seconds(1) / Double(max(all.count, 1))
    }

    /// Vectors of stamps, on several threads.
    static func vectors(_ stamps: [[Float]], _ encoder: StampEncoder, workers: Int) throws -> VectorSet {
        let batch = 32
        var values: [Float] = []
        try OrderedStream(readers: 1, workers: workers).run(
            count: (stamps.count + batch - 1) / batch,
            load: { piece in stamps[(piece * batch)..<min((piece + 1) * batch, stamps.count)] },
            process: { _, part in encoder.vectors(part.flatMap { $0 }, count: part.count) },
            write: { _, part in
                values += part
                return true
            })
        return VectorSet(count: stamps.count, width: encoder.width, values: values)
    }

    private static func item(
        _ image: Image, _ object: ObjectFiles, _ isOutlier: Bool, _ readers: (raw: StampReader, embedding: StampReader)
    ) -> Item? {
        guard let raw = try? readers.raw.stamp(of: image, object),
            let normalised = try? readers.embedding.stamp(of: image, object)
        else { return nil }
        return Item(name: object.id, isOutlier: isOutlier, raw: raw, normalised: normalised)
    }

    private static func drawn(_ objects: [ObjectFiles], _ most: Int) -> [ObjectFiles] {
        var random = RandomNumbers(seed: 11, stream: UInt64(objects.count))
        return random.permutation(objects.count).prefix(most).sorted().map { objects[$0] }
    }
}
