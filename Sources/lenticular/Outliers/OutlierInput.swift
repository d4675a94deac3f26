import AstroIO
import Datasets
import Foundation
import Outliers
import Pipelines

/// What a command was pointed to: folders and image files, tables and lists that name image files, or one finished run folder.
struct OutlierInput {
    var objects: [ObjectFiles] = []
    /// Files that a table names and that are not there.
    var missing: [(object: ObjectFiles, error: StampError)] = []
    /// The run whose embeddings may be used.
    var run: RunArchive?

    /// - Throws: an error that names the path that cannot be used; `DiscoveryError` where no image is found.
    init(_ paths: [String]) throws {
        var images: [String] = []
        for path in paths {
            if RunFolder(path: path).state == .finished {
                guard paths.count == 1 else {
                    throw PipelineError(.input, path: path, "is a run folder, which is to be given alone")
                }
                let run = try RunArchive(folder: path)
                self.run = run
                objects = run.rows.map(\.object)
            } else if let files = try Self.table(path) {
                try add(files, folder: (path as NSString).deletingLastPathComponent)
            } else {
                images.append(path)
            }
        }
        if !images.isEmpty { objects += try FileDiscovery().objects(in: images) }
        guard !objects.isEmpty || !missing.isEmpty else {
            throw PipelineError(.input, path: paths.joined(separator: ", "), "names no image")
        }
        makeUnique()
    }

    /// Files and ids of a list or catalog; nil for another kind of file.
    private static func table(_ path: String) throws -> [(id: String?, files: [String])]? {
        switch (path as NSString).pathExtension.lowercased() {
        case "txt", "lst", "list":
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
                .filter { !$0.isEmpty && !$0.hasPrefix("#") }.map { (nil, [$0]) }
        case "csv", "ecsv", "vot", "votable", "xml":
            let catalog = try Catalog.read(path)
            guard let files = rows(catalog) else {
                throw PipelineError(
                    .input, path: path,
                    "has no column of image files (\(ColumnRole.file.names.joined(separator: ", ")))")
            }
            return files
        case "fits", "fit":
            // A table if it names files; else an image.
            return (try? Catalog.read(path)).flatMap(rows)
        default: return nil
        }
    }

    private static func rows(_ catalog: Catalog) -> [(id: String?, files: [String])]? {
        guard let files = catalog.filePaths else { return nil }
        let ids = catalog.identifiers
        return files.enumerated().map { row, files in
            (ids?[row], files.flatMap { $0.split(separator: ";").map(String.init) })
        }
    }

    private mutating func add(_ rows: [(id: String?, files: [String])], folder: String) throws {
        for (id, files) in rows {
            let paths = files.map { $0.hasPrefix("/") || folder.isEmpty ? $0 : folder + "/" + $0 }
            var object = FileDiscovery.object(joining: paths)
            if let id { object.id = id }
            if let gone = paths.first(where: { !FileManager.default.fileExists(atPath: $0) }) {
                missing.append((object, StampError(.load, "\(gone): does not exist")))
            } else if paths.isEmpty {
                missing.append((object, StampError(.load, "the table names no file")))
            } else {
                objects.append(object)
            }
        }
    }

    /// Tables may name an object twice.
    private mutating func makeUnique() {
        var used: Set<String> = []
        for index in objects.indices {
            let id = objects[index].id
            var number = 2
            while !used.insert(objects[index].id).inserted {
                objects[index].id = "\(id)~\(number)"
                objects[index].hadDuplicateID = true
                number += 1
            }
        }
    }
}
