import AstroIO
import Foundation
import Inference
import Outliers

/// The score stage: mean distance to the nearest neighbours, rank and percentile for every object of a journal.
struct OutlierScoring {
    let settings: ScoreSettings
    let quiet: Bool

    init(_ settings: ScoreSettings, quiet: Bool) {
        self.settings = settings
        self.quiet = quiet
    }

    /// Scores in the order of the journal's objects that have an embedding.
    func score(_ journal: ObjectJournal) throws(PipelineError) -> [ScoredObject] {
        let matrix = try journal.embeddingMatrix()
        var usable: [Int] = []
        var ids: [String] = []
        let reader = try journal.reader()
        while let record = try reader.next() {
            guard record.failure == nil else { continue }
            // Neither scored nor a neighbour, so that a defect is never presented as a discovery.
            if StampDefects.withoutContent.isDisjoint(with: QualityFlags(rawValue: record.flags)) {
                usable.append(ids.count)
            }
            ids.append(record.id)
        }
        var objects = [ScoredObject](repeating: ScoredObject(), count: ids.count)
        let progress = Progress("scoring  ", total: usable.count, unit: "objects", enabled: !quiet)
        let search = NearestNeighbours(
            count: settings.neighbours, metric: settings.metric == "cosine" ? .cosine : .euclidean,
            standardise: settings.standardise)
        search.search(matrix, rows: usable) { position, row in
            let index = usable[position]
            objects[index].score = row.meanDistance
            objects[index].nearest = row.indices.first
            objects[index].nearestID = row.indices.first.map { ids[$0] }
            objects[index].nearestDistance = row.distances.first ?? .nan
            if row.distances.count < settings.neighbours { objects[index].flags.insert(.fewNeighbours) }
            if row.distances.first == 0 { objects[index].flags.insert(.duplicateImage) }
            progress.update(position + 1)
            return true
        }
        progress.finish(usable.count)

        let ranking = OutlierRanking(objects.map(\.score))
        for (place, index) in ranking.order.enumerated() {
            objects[index].rank = place + 1
            objects[index].percentile = ranking.percentile(at: place)
        }
        for index in objects.indices where objects[index].rank == 0 { objects[index].flags.insert(.notScored) }
        return objects
    }
}
