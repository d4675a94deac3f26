import AstroIO
import Foundation
import Labeling
import Pipelines
import Training

/// The objects of a finished run with their embeddings, as the label store wants them.
public struct RunObjects: Sendable {
    public let folder: RunFolder
    /// In the order of the embeddings' rows.
    public let objects: [ReviewObject]
    public let features: MorphologyFeatures
    /// The run's outlier score for each row; NaN where the run has none.
    public let outlierScores: [Double]

    /// Columns of the catalog that are no numbers worth showing beside a picture.
    private static let hidden: Set<String> = ["ra", "dec", "width", "height", "flags", "mask_fraction"]

    /// - Throws: ``ActiveLearningError`` for a folder that holds no finished run; `CatalogError` for damaged tables.
    public init(_ path: String) throws {
        folder = RunFolder(path: path)
        guard case .finished = folder.state else {
            throw ActiveLearningError(.run, path: path, "holds no finished run; make one with 'lenticular run'")
        }
        let table = try Catalog.read(folder.embeddings)
        guard let ids = table.identifiers, let column = table["embedding"],
            case .floatVector(let values, let width) = column.values
        else { throw ActiveLearningError(.run, path: folder.embeddings, "has no columns id_str and embedding") }
        guard !ids.isEmpty else { throw ActiveLearningError(.run, path: folder.embeddings, "has no objects") }
        features = MorphologyFeatures(values, width: width)
        let files = table["file_loc"]?.strings ?? [String?](repeating: nil, count: ids.count)
        let catalog = try Self.catalog(folder)
        var rowOf: [String: Int] = [:]
        for (row, id) in (catalog.identifiers ?? []).enumerated() { if let id { rowOf[id] = row } }
        let numbers = catalog.columns.compactMap { column in
            Self.hidden.contains(column.name) ? nil : column.doubles.map { (column.name, $0) }
        }
        let (ra, dec) = (catalog["ra"]?.doubles, catalog["dec"]?.doubles)
        let roots = Self.roots(folder)
        objects = ids.indices.map { row in
            let place = ids[row].flatMap { rowOf[$0] }
            func finite(_ values: [Double]?) -> Double? {
                place.flatMap { values?[$0] }.flatMap { $0.isFinite ? $0 : nil }
            }
            var metadata: [String: Double] = [:]
            for (name, values) in numbers { metadata[name] = finite(values) }
            return ReviewObject(
                id: ids[row] ?? "\(row)", path: Self.resolve(files[row] ?? "", roots), ra: finite(ra),
                dec: finite(dec), row: row, metadata: metadata)
        }
        outlierScores = objects.map { $0.metadata["outlier_score"] ?? .nan }
    }

    public var storePath: String { folder.file(LabelStore.fileName) }

    /// The run's catalog, in the first form there is.
    public static func catalog(_ folder: RunFolder) throws -> Catalog {
        for ending in ["fits", "ecsv", "vot", "csv"] {
            let path = folder.file("catalog." + ending)
            if FileManager.default.fileExists(atPath: path) { return try Catalog.read(path) }
        }
        throw ActiveLearningError(.run, path: folder.path, "has no catalog")
    }

    /// Folders that file names of the run may begin from.
    private static func roots(_ folder: RunFolder) -> [String] {
        guard let data = FileManager.default.contents(atPath: folder.provenance),
            let provenance = try? JSONDecoder().decode(Provenance.self, from: data)
        else { return [""] }
        return provenance.input.paths.map { $0.hasSuffix("/") ? $0 : $0 + "/" } + [""]
    }

    /// Absolute names of an object's files, joined by `;` as the catalog has them.
    private static func resolve(_ files: String, _ roots: [String]) -> String {
        files.split(separator: ";").map { file in
            let file = String(file)
            let found =
                file.hasPrefix("/") ? file : roots.map { $0 + file }.first(where: FileManager.default.fileExists)
            return URL(fileURLWithPath: found ?? file).standardizedFileURL.path
        }.joined(separator: ";")
    }
}
