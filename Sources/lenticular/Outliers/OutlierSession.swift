import AstroIO
import Datasets
import Foundation
import Inference
import Models
import Outliers
import Pipelines
import Tensors

/// Fits or loads a method and judges objects by it.
struct OutlierSession {
    let options: OutlierOptions
    /// A method to load instead of fitting one.
    let fittedPath: String?
    let workFolder: String
    let quiet: Bool
    let interruption: Interruption

    struct Answer {
        var objects: [JudgedObject]
        var failures: [(object: ObjectFiles, error: StampError)]
        var fitted: FittedOutliers
        var backbone: FittedOutliers.Backbone?
    }

    /// - Returns: nil after an interruption.
    func judge(_ input: OutlierInput) throws -> Answer? {
        if let fittedPath { return try judge(input, by: Self.load(fittedPath)) }
        let encoder: StampEncoder
        let backbone: FittedOutliers.Backbone?
        let collection: StampCollection
        if let run = input.run, options.method.space == .embedding {
            let (embedder, made) = try run.embedder()
            (encoder, backbone) = (.backbone(embedder), made)
            collection = StampCollection(rows: run.rows, vectors: run.vectors)
        } else {
            let fitting = options.fitting(quiet: quiet, interruption: interruption)
            guard let made = try fitting.encoder(for: input.objects, folder: workFolder) else { return nil }
            (encoder, backbone) = made
            guard let read = try read(input.objects, encoder) else { return nil }
            collection = read
        }
        let usable = collection.usable
        let members = usable.map { row in
            let object = collection.rows[row].object
            return FittedOutliers.Member(id: object.id, files: object.paths.map(Self.absolute))
        }
        let progress = Progress("scoring  ", total: usable.count, unit: "objects", enabled: !quiet)
        let (fitted, judgements) = try FittedOutliers.fit(
            options.settings, encoder: encoder, archive: collection.vectors(of: usable), members: members)
        progress.finish(usable.count)
        return Answer(
            objects: JudgedObject.ranked(
                collection.rows, .init(uniqueKeysWithValues: zip(usable, judgements)), k: options.k),
            failures: collection.failures, fitted: fitted, backbone: backbone)
    }

    /// Scores other objects against the archive of a fitted method.
    private func judge(_ input: OutlierInput, by fitted: FittedOutliers) throws -> Answer? {
        guard let collection = try read(input.objects, fitted.encoder) else { return nil }
        let usable = collection.usable
        let progress = Progress("scoring  ", total: usable.count, unit: "objects", enabled: !quiet)
        let judgements = try fitted.judgements(
            collection.vectors(of: usable),
            files: usable.map { collection.rows[$0].object.paths.map(Self.absolute) })
        progress.finish(usable.count)
        return Answer(
            objects: JudgedObject.ranked(
                collection.rows, .init(uniqueKeysWithValues: zip(usable, judgements)), k: fitted.settings.k),
            failures: collection.failures, fitted: fitted)
    }

    private func read(_ objects: [ObjectFiles], _ encoder: StampEncoder) throws -> StampCollection? {
        let progress = Progress("encoding ", total: objects.count, unit: "objects", enabled: !quiet)
        let collection = try StampCollection(objects, encoder: encoder, workers: options.workers) { done, failed in
            progress.update(done, failures: failed)
            return !interruption.requested
        }
        progress.finish(collection.rows.count + collection.failures.count, failures: collection.failures.count)
        return collection.isInterrupted ? nil : collection
    }

    /// Reads a fitted method, with its backbone where it needs one.
    static func load(_ path: String) throws -> FittedOutliers {
        try FittedOutliers.load(path: path) { backbone in
            let file = try InstalledFiles.model(named: backbone.name)
            guard try Digest.ofFile(file) == backbone.sha256 else {
                throw InferenceError(
                    path: file, "is not the backbone that made the archive of \(path); its digest is another")
            }
            return try Embedder(path: file, precision: .bfloat16, views: backbone.views)
        }
    }

    private static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}
