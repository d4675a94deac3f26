import AstroIO
import Datasets
import Outliers
import Pipelines

/// An object with its place among those that were scored together.
struct JudgedObject {
    var row: StampCollection.Row
    var judgement: FittedOutliers.Judgement?
    /// 1 = the most unusual; 0 = not scored.
    var rank = 0
    /// Percentage of the objects scored together with a lower score.
    var percentile = Double.nan
    var flags: QualityFlags

    /// Ranks objects: ties in the order of the input, defects not at all.
    ///
    /// - Parameter judgements: by row; rows without one are not scored.
    static func ranked(
        _ rows: [StampCollection.Row], _ judgements: [Int: FittedOutliers.Judgement], k: Int
    ) -> [JudgedObject] {
        var objects = rows.enumerated().map { index, row in
            JudgedObject(row: row, judgement: judgements[index], flags: row.flags)
        }
        let ranking = OutlierRanking(objects.map(\.score))
        for (place, index) in ranking.order.enumerated() {
            objects[index].rank = place + 1
            objects[index].percentile = ranking.percentile(at: place)
            if objects[index].judgement!.distances.first == 0 { objects[index].flags.insert(.duplicateImage) }
            if objects[index].judgement!.distances.count < k { objects[index].flags.insert(.fewNeighbours) }
        }
        for index in objects.indices where objects[index].rank == 0 { objects[index].flags.insert(.notScored) }
        return objects
    }

    var score: Double { judgement?.score ?? .nan }

    /// As the catalog of a run has it.
    var record: ObjectRecord {
        ObjectRecord(
            id: row.object.id, files: row.object.paths, ra: row.position?.ra, dec: row.position?.dec,
            width: row.imageWidth, height: row.imageHeight, bands: row.bands, pixelScale: row.pixelScale,
            maskFraction: row.maskFraction, flags: flags.rawValue)
    }

    /// As the catalog of a run has it.
    ///
    /// - Parameter members: of the archive that the neighbours are of.
    func scored(_ members: [FittedOutliers.Member]) -> ScoredObject {
        var result = ScoredObject()
        (result.score, result.rank, result.percentile) = (score, rank, percentile)
        result.nearest = judgement?.neighbours.first
        result.nearestID = result.nearest.map { members[$0].id }
        result.nearestDistance = judgement?.distances.first ?? .nan
        result.flags = flags
        return result
    }
}
