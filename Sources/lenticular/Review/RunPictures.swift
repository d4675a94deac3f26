import AstroIO
import Datasets
import Foundation
import ImageProcessing
import Inference
import Pipelines
import Synchronization
import TerminalUI

/// Images of a run's objects, restored ones where a restoration model is installed, and the objects most like one.
final class RunPictures: PictureSource {
    let views: [ReviewView]
    private let reader: StampReader
    private let modelPath: String?
    private let run: RunFolder
    private let files: RunFiles
    private let restorer = Mutex<Restorer?>(nil)
    private let embeddings = Mutex<EmbeddingRows?>(nil)

    init(_ run: RunFolder, files: RunFiles) {
        self.run = run
        self.files = files
        // The image itself is shown: neither size nor normalisation of the stamp matters.
        reader = StampReader(normalization: StampNormalization(size: 1, mean: [0, 0, 0], deviation: [1, 1, 1]))
        modelPath = try? InstalledFiles.model(named: "restoration")
        views = modelPath == nil ? [.image] : [.image, .restored, .residual]
    }

    func image(of files: [String], view: ReviewView) throws -> Image {
        let image = try reader.image(of: FileDiscovery.object(joining: files))
        guard view != .image, let modelPath else { return image }
        let restored = try restorer.withLock { restorer in
            if restorer == nil { restorer = try Restorer(path: modelPath, workers: 1) }
            return try restorer!.restore(image, RestorationSettings()).image
        }
        guard view == .residual else { return restored }
        var residual = image
        residual.sampleMaximum = nil
        residual.pixels = zip(image.pixels, restored.pixels).map { $0 - $1 }
        return residual
    }

    func neighbours(of id: String, count: Int) throws -> [ReviewNeighbour] {
        try embeddings.withLock { rows in
            if rows == nil { rows = try EmbeddingRows(run.embeddings) }
            return rows!.nearest(to: id, count: count).map {
                ReviewNeighbour(id: $0.id, files: files.paths(of: $0.file), distance: $0.distance)
            }
        }
    }
}

/// The embeddings of a run in memory, to find one object's neighbours in.
private struct EmbeddingRows {
    private var ids: [String] = []
    private var locations: [String] = []
    private var values: [Float] = []
    private var width = 0
    private var row: [String: Int] = [:]

    /// Larger files are left alone: the strip is not worth that much memory.
    private static let largestFile = 512 << 20

    init(_ path: String) throws {
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
        guard size <= Self.largestFile else { return }
        let catalog = try Catalog.read(path)
        guard let ids = catalog["id_str"]?.strings, let locations = catalog["file_loc"]?.strings,
            case .floatVector(let values, let width)? = catalog["embedding"]?.values
        else { return }
        self.ids = ids.map { $0 ?? "" }
        self.locations = locations.map { $0 ?? "" }
        self.values = values
        self.width = width
        row = Dictionary(self.ids.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Euclidean distances, as the run's score uses by default.
    func nearest(to id: String, count: Int) -> [(id: String, file: String, distance: Double)] {
        guard let own = row[id] else { return [] }
        var squares = [Float](repeating: 0, count: ids.count)
        values.withUnsafeBufferPointer { values in
            for other in squares.indices {
                var sum: Float = 0
                for i in 0..<width {
                    let difference = values[own * width + i] - values[other * width + i]
                    sum += difference * difference
                }
                squares[other] = sum
            }
        }
        return squares.indices.filter { $0 != own && squares[$0].isFinite }.sorted { squares[$0] < squares[$1] }
            .prefix(count).map { (ids[$0], locations[$0], Double(squares[$0]).squareRoot()) }
    }
}
