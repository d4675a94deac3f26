import ArgumentParser
import AstroIO
import Datasets
import Figures
import Foundation
import ImageProcessing
import Inference
import Models
import Pipelines

/// An image with what a model says of it. Pixels are not kept.
struct ClassifiedObject: Sendable {
    var object: ObjectFiles
    var position: (ra: Double, dec: Double)?
    var flags: QualityFlags
    var answer: MorphologyAnswer

    init(_ object: ObjectFiles, _ stamp: Stamp, _ answer: MorphologyAnswer) {
        self.object = object
        position = stamp.position
        flags = stamp.flags
        self.answer = answer
    }
}

/// The files that `classify` writes.
struct ClassificationResults {
    let folder: String
    private static let names = [
        "catalog.fits", "catalog.ecsv", "failures.ecsv", "contact_sheet.png", "provenance.json",
    ]

    /// Makes the folder, and removes earlier results where that is allowed.
    func prepare(overwrite: Bool) throws {
        let files = FileManager.default
        let old = Self.names.filter { files.fileExists(atPath: "\(folder)/\($0)") }
        guard old.isEmpty || overwrite else {
            throw ValidationError("\(folder) holds \(old[0]); choose another folder or say --overwrite")
        }
        for name in old { try files.removeItem(atPath: "\(folder)/\(name)") }
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    func write(
        _ rows: [ClassifiedObject], failures: [(object: ObjectFiles, error: StampError)], target: MorphologyTarget,
        model: (name: String, sha256: String), sheet: Int, reader: StampReader
    ) throws {
        let columns = [
            Column(
                "id_str", .string(rows.map(\.object.id)), ucd: "meta.id;meta.main",
                description: "Unique name of the object"),
            Column(
                "file_loc", .string(rows.map { $0.object.paths.joined(separator: ";") }), ucd: "meta.ref.url",
                description: "File, or files joined by ';'"),
            Column(
                "ra", .double(rows.map { $0.position?.ra ?? .nan }), unit: "deg", ucd: "pos.eq.ra;meta.main",
                description: "Right ascension (ICRS) of the stamp's centre; NaN without WCS"),
            Column(
                "dec", .double(rows.map { $0.position?.dec ?? .nan }), unit: "deg", ucd: "pos.eq.dec;meta.main",
                description: "Declination (ICRS) of the stamp's centre; NaN without WCS"),
            Column(
                "flags", .int32(rows.map { Int32($0.flags.rawValue) }), ucd: "meta.code.qual",
                description: "Quality flags, a sum of powers of two (lenticular flags VALUE)"),
        ]
        let catalog = try Catalog(
            name: "MORPHOLOGY", columns: columns + MorphologyTable.columns(target, rows.map(\.answer)),
            metadata: [CatalogMetadata("MODEL", model.name), CatalogMetadata("MODELSHA", model.sha256)])
        try catalog.write(to: folder + "/catalog.fits")
        try catalog.write(to: folder + "/catalog.ecsv")
        try ResultFiles.writeFailures(failures, in: folder)
        if sheet > 0, !rows.isEmpty { try contactSheet(rows, target, count: sheet, reader: reader) }
        try ResultFiles.writeProvenance(
            [
                "model": model.name, "model_sha256": model.sha256, "objects": "\(rows.count)",
                "failures": "\(failures.count)",
            ], in: folder)
    }

    /// How many images there are of each class.
    func counts(_ rows: [ClassifiedObject], _ target: MorphologyTarget) -> String {
        groups(rows, target).prefix(12).map { "\($0.name) \($0.rows.count)" }.joined(separator: ", ")
    }

    /// Images by what they most probably are, the largest group first and the surest image first.
    private func groups(
        _ rows: [ClassifiedObject], _ target: MorphologyTarget
    ) -> [(name: String, rows: [(row: ClassifiedObject, certainty: Double)])] {
        var groups: [String: [(row: ClassifiedObject, certainty: Double)]] = [:]
        for row in rows {
            let (name, certainty) = MorphologyTable.summary(target, row.answer)
            groups[name, default: []].append((row, certainty))
        }
        return groups.map { (name: $0, rows: $1.sorted { $0.certainty > $1.certainty }) }
            .sorted { ($0.rows.count, $1.name) > ($1.rows.count, $0.name) }
    }

    /// Rows of thumbnails for each class: evenly from the surest to the least sure.
    private func contactSheet(
        _ rows: [ClassifiedObject], _ target: MorphologyTarget, count: Int, reader: StampReader
    ) throws {
        var reader = reader
        reader.normalization.size = 96
        let groups = groups(rows, target)
        let columns = 10
        // Whole rows of thumbnails for each class.
        let quota = max(1, max(1, count / columns) / groups.count) * columns
        var cells: [ContactSheet.Cell] = []
        for group in groups where cells.count < count {
            let number = min(quota, group.rows.count, count - cells.count)
            for place in 0..<number {
                let (row, certainty) = group.rows[place * group.rows.count / number]
                // An image that vanished since is left out.
                guard let picture = try? reader.picture(of: row.object) else { continue }
                cells.append(
                    .init(picture: picture, caption: ["\(group.name)  \(fixed(certainty, 2))", row.object.id]))
            }
        }
        try ContactSheet(
            title: "\(rows.count) images by class",
            note: "\(cells.count) shown, the surest of each class first; with the probability", columns: columns,
            thumbnail: 96
        ).draw(cells).writePNG(to: folder + "/contact_sheet.png")
    }
}
