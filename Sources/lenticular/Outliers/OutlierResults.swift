import ArgumentParser
import AstroIO
import Datasets
import Figures
import Foundation
import ImageProcessing
import Outliers
import Pipelines

/// The files that `outliers` writes.
struct OutlierResults {
    let folder: String
    var fitted: String { folder + "/fitted.safetensors" }
    /// For the checkpoint of a training in progress.
    var work: String { folder + "/work" }
    private static let names = [
        "catalog.fits", "catalog.ecsv", "failures.ecsv", "contact_sheet.png", "scores.png", "fitted.safetensors",
        "provenance.json", "explained",
    ]

    /// Makes the folder, and removes earlier results where that is allowed.
    func prepare(overwrite: Bool) throws {
        let files = FileManager.default
        let old = Self.names.filter { files.fileExists(atPath: "\(folder)/\($0)") }
        guard old.isEmpty || overwrite else {
            throw ValidationError("\(folder) holds \(old[0]); choose another folder or say --overwrite")
        }
        for name in old + (overwrite ? ["work"] : []) { try? files.removeItem(atPath: "\(folder)/\(name)") }
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    /// The catalog: an object a row, with its score, rank and neighbours.
    ///
    /// - Parameter fitted: whose archive the neighbours are of.
    func writeCatalog(_ objects: [JudgedObject], _ fitted: FittedOutliers, comparesWithArchive: Bool) throws {
        let members = fitted.members
        var catalog = try ObjectTable.catalogBlock(
            objects.map(\.record), scores: objects.map { $0.scored(members) }, analyses: [])
        catalog.name = "OUTLIERS"
        if comparesWithArchive {
            try catalog.append(
                Column(
                    "archive_percentile", .float(objects.map { Float(fitted.archivePercentile($0.score)) }),
                    description: "Percentage (0 to 100) of the archive's objects with a lower score"))
        }
        let k = fitted.settings.k
        try catalog.append(
            Column(
                "neighbour_ids",
                .string(objects.map { $0.judgement?.neighbours.map { members[$0].id }.joined(separator: ";") }),
                description: "id_str of the nearest neighbours joined by ';', the nearest first"))
        try catalog.append(
            Column(
                "neighbour_distances",
                .doubleVector(
                    objects.flatMap { object in
                        let distances = object.judgement?.distances ?? []
                        return distances + [Double](repeating: .nan, count: k - distances.count)
                    }, width: k), description: "Distances to them"))
        catalog.metadata = [
            CatalogMetadata("CREATOR", "lenticular \(ProgramVersion.current)"),
            CatalogMetadata("METHOD", fitted.settings.method.rawValue), CatalogMetadata("K", k),
            CatalogMetadata("METRIC", fitted.settings.metric.rawValue),
        ]
        try catalog.write(to: folder + "/catalog.fits")
        try catalog.write(to: folder + "/catalog.ecsv")
    }

    /// The most unusual objects, and how the score is distributed.
    func draw(_ objects: [JudgedObject], title: String, count: Int, pictures: StampPictures) throws {
        let scored = objects.filter { $0.rank > 0 }.sorted { $0.rank < $1.rank }
        let shown = scored.prefix(count)
        let sheet = ContactSheet(
            title: title,
            note: "\(shown.count) of \(scored.count) scored objects, the most unusual first; rank in the corner",
            columns: 8, thumbnail: pictures.side)
        if !shown.isEmpty {
            try sheet.draw(shown.map { cell($0, pictures) }).writePNG(to: folder + "/contact_sheet.png")
        }
        var plot = Plot.histogram(
            of: scored.map(\.score), title: "Outlier score of \(scored.count) objects", xLabel: "score",
            yLabel: "objects")
        plot.yIsLogarithmic = scored.count > 200
        if let last = shown.last, shown.count < scored.count {
            plot.markers = [.init(x: last.score, text: "contact sheet: from here on")]
        }
        try plot.draw().writePNG(to: folder + "/scores.png")
    }

    private func cell(_ object: JudgedObject, _ pictures: StampPictures) -> ContactSheet.Cell {
        var caption = [object.row.object.id, "score \(significant(object.score))"]
        if let position = object.row.position {
            caption.append(String(format: "%.4f %+.4f", position.ra, position.dec))
        }
        return ContactSheet.Cell(
            picture: pictures.picture(of: object.row.object), badge: String(object.rank), caption: caption)
    }
}

/// Pictures of objects for contact sheets.
struct StampPictures {
    /// Pixels.
    let side: Int
    private let reader: StampReader

    init(_ normalization: StampNormalization, side: Int = 112) {
        var normalization = normalization
        normalization.size = side
        self.side = side
        reader = StampReader(normalization: normalization)
    }

    /// Black where a file has gone since it was read.
    func picture(of object: ObjectFiles) -> RGBImage {
        (try? reader.picture(of: object))
            ?? RGBImage(width: side, height: side, samples: [UInt8](repeating: 0, count: 3 * side * side))
    }

    /// The picture of an archive's member.
    func picture(of member: FittedOutliers.Member) -> RGBImage {
        picture(of: FileDiscovery.object(joining: member.files))
    }
}
