import ArgumentParser
import AstroIO
import Datasets
import Figures
import Foundation
import ImageProcessing
import Inference
import Outliers
import Pipelines

struct SimilarCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "similar",
        abstract: "Find the objects that are most like a given one.",
        discussion: """
            The archive is a folder of lenticular outliers or its fitted.safetensors, or a run folder with embeddings. Writes \
            OUT/similar.fits and .ecsv and contact_sheet.png.

              lenticular similar sim-00012 --in ARCHIVE -o OUT
              lenticular similar new.fits --in RUN -o OUT
            """)

    @Argument(help: "An object of the archive by its id, or an image file.")
    var object: String

    @Option(name: .customLong("in"), help: ArgumentHelp("Archive to look in.", valueName: "folder or file"))
    var archive: String

    @Option(name: .customLong("count"), help: "Objects to find.")
    var count = 24

    @Option(help: "euclidean or cosine, for a run folder; a fitted method has its own.")
    var metric: DistanceMetric = .euclidean

    @Option(name: .shortAndLong, help: "Folder for the results.")
    var output: String

    @Flag(name: .shortAndLong, help: "No table.")
    var quiet = false

    func validate() throws {
        if !(1...10_000).contains(count) { throw ValidationError("--count: expected 1 … 10 000, got \(count)") }
    }

    func run() throws {
        let fitted = try SimilarArchive(archive, metric: metric).fitted
        let query: (vector: [Float], object: ObjectFiles, member: Int?)
        if let member = fitted.members.firstIndex(where: { $0.id == object }) {
            query = (fitted.vector(of: member), FileDiscovery.object(joining: fitted.members[member].files), member)
        } else if FileManager.default.fileExists(atPath: object) {
            let files = FileDiscovery.object(joining: [object])
            let read = try StampCollection([files], encoder: fitted.encoder, workers: 1)
            if let failure = read.failures.first { throw failure.error }
            guard let row = read.rows.first, row.isUsable else {
                throw InferenceError(
                    path: object, "cannot be compared: \(read.rows.first.map { "\($0.flags)" } ?? "no stamp")")
            }
            query = (read.vectors.values, files, nil)
        } else {
            throw ValidationError(
                "'\(object)' is neither an object of \(archive) (\(fitted.members.count) objects, such as \(fitted.members.first?.id ?? "")) nor a file"
            )
        }
        let found = try fitted.nearest(to: query.vector, count: count + (query.member == nil ? 0 : 1))
            .filter { $0.member != query.member }.prefix(count)
        try write(Array(found), fitted, query.object)
    }

    private func write(
        _ found: [(member: Int, distance: Double)], _ fitted: FittedOutliers, _ query: ObjectFiles
    ) throws {
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let members = found.map { fitted.members[$0.member] }
        let catalog = try Catalog(
            name: "SIMILAR",
            columns: [
                Column("id_str", .string(members.map(\.id)), ucd: "meta.id;meta.main", description: "Object"),
                Column(
                    "file_loc", .string(members.map { $0.files.joined(separator: ";") }), ucd: "meta.ref.url",
                    description: "File, or files joined by ';'"),
                Column(
                    "similarity_rank", .int32(found.indices.map { Int32($0 + 1) }), description: "1 = the most similar"),
                Column("distance", .double(found.map(\.distance)), description: "Distance to \(object)"),
            ], metadata: [CatalogMetadata("QUERY", object), CatalogMetadata("METRIC", fitted.settings.metric.rawValue)])
        try catalog.write(to: output + "/similar.fits")
        try catalog.write(to: output + "/similar.ecsv")
        let pictures = StampPictures(fitted.encoder.normalization)
        let cells =
            [
                ContactSheet.Cell(
                    picture: pictures.picture(of: query), caption: [query.id, "looked for"], highlighted: true)
            ]
            + zip(members, found).enumerated().map { place, pair in
                ContactSheet.Cell(
                    picture: pictures.picture(of: pair.0), badge: String(place + 1),
                    caption: [pair.0.id, "distance \(significant(pair.1.distance))"])
            }
        try ContactSheet(
            title: "Objects like \(query.id)",
            note: "\(found.count) of \(fitted.members.count), the most similar first",
            columns: 8, thumbnail: pictures.side
        ).draw(cells).writePNG(to: output + "/contact_sheet.png")
        guard !quiet else { return }
        let table = TextTable([.init("rank", 4, right: true), .init("distance", 9, right: true), .init("object", 0)])
        print(table.head)
        for (place, pair) in zip(members, found).enumerated().prefix(10) {
            print(table.row([String(place + 1), significant(pair.1.distance), pair.0.id]))
        }
        print("  \(output)/contact_sheet.png, similar.ecsv")
    }
}

/// The archive that `similar` looks in.
struct SimilarArchive {
    let fitted: FittedOutliers

    /// - Parameter path: a fitted method, a folder with one, or a run folder.
    init(_ path: String, metric: DistanceMetric) throws {
        let inside = path + "/fitted.safetensors"
        if FileManager.default.fileExists(atPath: inside) {
            fitted = try OutlierSession.load(inside)
        } else if RunFolder(path: path).state == .finished {
            let run = try RunArchive(folder: path)
            let (embedder, _) = try run.embedder()
            let collection = StampCollection(rows: run.rows, vectors: run.vectors)
            let usable = collection.usable
            fitted = try FittedOutliers(
                OutlierSettings(.backbone, k: 1, metric: metric), encoder: .backbone(embedder),
                archive: collection.vectors(of: usable),
                members: usable.map {
                    .init(id: collection.rows[$0].object.id, files: collection.rows[$0].object.paths)
                }, sortedScores: [])
        } else {
            fitted = try OutlierSession.load(path)
        }
    }
}
