import AstroIO
import Foundation
import Labeling
import Pipelines

/// The queue that a run has before anybody built one: its objects by outlier rank, the most unusual first.
enum OutlierQueue {
    static let task = "outliers"

    /// Columns that the review shows elsewhere or that say nothing to a person.
    private static let hidden: Set<String> = [
        "ra", "dec", "nearest_distance", "outlier_score", "outlier_rank", "outlier_percentile",
    ]

    /// Makes it from the run's catalog.
    ///
    /// - Throws: `CatalogError`, `LabelStoreError`, `PipelineError`.
    static func build(_ run: RunFolder, in store: LabelStore) throws {
        let path = try catalog(of: run)
        let catalog = try Catalog.read(path)
        guard let ids = catalog["id_str"]?.strings, let files = catalog["file_loc"]?.strings else {
            throw PipelineError(.input, path: path, "has no columns id_str and file_loc; it is no catalog of a run")
        }
        guard let scores = catalog["outlier_score"]?.doubles, let ranks = catalog["outlier_rank"]?.integers else {
            throw PipelineError(
                .input, path: path, "has no outlier scores: run a pipeline with a score stage, such as quickstart")
        }
        let numbers = catalog.columns.filter { !hidden.contains($0.name) }.compactMap { column in
            column.doubles.map { (column.name, $0) }
        }
        let (ra, dec) = (catalog["ra"]?.doubles, catalog["dec"]?.doubles)
        try store.importObjects(
            ids.indices.lazy.map { row in
                let values = numbers.map { ($0, $1[row]) }.filter { $0.1.isFinite }
                return ReviewObject(
                    id: ids[row] ?? "", path: files[row] ?? "", ra: finite(ra?[row]), dec: finite(dec?[row]), row: row,
                    metadata: Dictionary(values, uniquingKeysWith: { first, _ in first }))
            })
        try store.defineTask(task, tree: .outlier, strategy: "outliers=1")
        let question = QuestionTree.outlier.root.name
        let scored = ids.indices.filter { ranks[$0] ?? 0 > 0 }.sorted { ranks[$0]! < ranks[$1]! }
        try store.replaceProposals(
            task: task,
            scored.lazy.map { row in
                Proposal(
                    objectID: ids[row] ?? "", task: task, question: question, score: scores[row], strategy: "outliers")
            })
    }

    /// The run's catalog, in whichever form it was written.
    ///
    /// - Throws: `PipelineError` where there is none.
    static func catalog(of run: RunFolder) throws -> String {
        for ending in ["fits", "ecsv", "vot", "csv"] {
            let path = run.file("catalog." + ending)
            if FileManager.default.fileExists(atPath: path) { return path }
        }
        throw PipelineError(.input, path: run.path, "holds no catalog; it is no run folder of this program")
    }

    private static func finite(_ value: Double?) -> Double? { value.flatMap { $0.isFinite ? $0 : nil } }
}
