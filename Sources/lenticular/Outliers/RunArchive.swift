import AstroIO
import Datasets
import Foundation
import Inference
import Outliers
import Pipelines

/// The embeddings of a finished run, with what is needed to embed further images in the same way.
struct RunArchive {
    let rows: [StampCollection.Row]
    let vectors: VectorSet
    let settings: EmbedSettings

    /// - Throws: an error that names the file of the run that is missing or does not fit.
    init(folder path: String) throws {
        let folder = RunFolder(path: path)
        let table = try Catalog.read(folder.embeddings)
        guard case .floatVector(let values, let width)? = table["embedding"]?.values, let ids = table.identifiers,
            let files = table.filePaths
        else {
            throw InferenceError(path: folder.embeddings, "has no columns id_str, file_loc and embedding")
        }
        let specification = try PipelineSpecification.read(path: folder.configuration)
        guard let stage = specification.stage(.embed) else {
            throw InferenceError(path: folder.configuration, "says nothing of an embed stage")
        }
        settings = EmbedSettings(stage)
        vectors = VectorSet(count: ids.count, width: width, values: values)
        let roots = try Self.roots(folder)
        let catalog = ["fits", "ecsv", "csv", "vot"].lazy.map { folder.file("catalog." + $0) }
            .first { FileManager.default.fileExists(atPath: $0) }
        let known = try catalog.map { try Catalog.read($0) }
        var places: [String: Int] = [:]
        for (row, id) in (known?.identifiers ?? []).enumerated() { if let id { places[id] = row } }
        let flags = known?["flags"]?.doubles
        let positions = known?.positions
        let (widths, heights) = (known?["width"]?.doubles, known?["height"]?.doubles)
        rows = ids.enumerated().map { row, id in
            let paths = files[row].flatMap { $0.split(separator: ";").map(String.init) }
                .map { Self.resolve($0, roots) }
            var object = FileDiscovery.object(joining: paths)
            object.id = id ?? object.id
            let place = places[object.id]
            let position = place.flatMap { place in
                positions.flatMap { $0.ra[place].isFinite ? (ra: $0.ra[place], dec: $0.dec[place]) : nil }
            }
            func cell(_ column: [Double]?) -> Int { place.flatMap { column?[$0] }.flatMap { Int(exactly: $0) } ?? 0 }
            return StampCollection.Row(
                object: object, position: position, imageWidth: cell(widths), imageHeight: cell(heights), bands: [],
                pixelScale: nil, maskFraction: .nan, flags: QualityFlags(rawValue: Int32(cell(flags))))
        }
    }

    /// The backbone that made the embeddings.
    func embedder() throws -> (embedder: Embedder, backbone: FittedOutliers.Backbone) {
        let path = try InstalledFiles.model(named: settings.model)
        let embedder = try Embedder(
            path: path, precision: settings.precision, attention: settings.attention, order: settings.order,
            views: settings.views)
        guard embedder.width == vectors.width else {
            throw InferenceError(
                path: path, "makes embeddings of \(embedder.width) numbers; those of the run have \(vectors.width)")
        }
        return (
            embedder,
            FittedOutliers.Backbone(
                name: settings.model, sha256: try Digest.ofFile(path), views: settings.views)
        )
    }

    /// Folders that the run's file names begin from.
    private static func roots(_ folder: RunFolder) throws -> [String] {
        let data = try Data(contentsOf: URL(fileURLWithPath: folder.provenance))
        let provenance = try? JSONDecoder().decode(Provenance.self, from: data)
        return provenance?.input.paths ?? []
    }

    private static func resolve(_ file: String, _ roots: [String]) -> String {
        if file.hasPrefix("/") { return file }
        return roots.lazy.map { $0 + "/" + file }.first { FileManager.default.fileExists(atPath: $0) } ?? file
    }
}
