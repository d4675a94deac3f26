import Datasets
import Foundation

/// Finds the image that a row of a label table is about.
///
/// A row names its image by a path (absolute, or relative to the table's folder), by the end of a path, by a file name with or
/// without its ending, or by the image's id. The most exact of these that is found counts.
struct ImageIndex {
    enum Match: Equatable {
        case one(Int)
        case none
        case several(Int)
    }

    private let folder: String
    private var byPath: [String: [Int]] = [:]
    private var byTail: [String: [Int]] = [:]
    private var byStem: [String: [Int]] = [:]
    private var byID: [String: [Int]] = [:]

    /// - Parameter tableFolder: what relative paths in the table begin from.
    init(_ objects: [ObjectFiles], tableFolder: String) {
        folder = tableFolder
        for (index, object) in objects.enumerated() {
            byID[object.id, default: []].append(index)
            var (tails, stems): (Set<String>, Set<String>) = ([], [])
            for path in object.paths {
                byPath[Self.standardised(path), default: []].append(index)
                tails.insert(Self.tail(path))
                stems.insert(Self.stem(path))
            }
            for tail in tails { byTail[tail, default: []].append(index) }
            for stem in stems { byStem[stem, default: []].append(index) }
        }
    }

    /// - Parameters:
    ///   - files: what the table's file column says; may be empty.
    ///   - id: what its identifier column says.
    func find(files: [String], id: String?) -> Match {
        for file in files {
            let path = file.hasPrefix("/") ? file : folder + "/" + file
            if let found = byPath[Self.standardised(path)] { return match(found) }
        }
        for file in files {
            for found in [byTail[Self.tail(file)], byStem[Self.stem(file)]] {
                if let found { return match(found) }
            }
        }
        guard files.isEmpty, let id else { return .none }
        for found in [byID[id], byStem[id], byStem[Self.stem(id)]] {
            if let found { return match(found) }
        }
        return .none
    }

    private func match(_ found: [Int]) -> Match { found.count == 1 ? .one(found[0]) : .several(found.count) }

    /// Folder and file name.
    private static func tail(_ path: String) -> String {
        path.split(separator: "/").suffix(2).joined(separator: "/")
    }

    /// The file's name without the endings of images.
    private static func stem(_ path: String) -> String {
        var name = (path as NSString).lastPathComponent
        let endings: Set = ["fits", "fit", "fts", "fz", "gz", "bz2", "png", "jpg", "jpeg"]
        while endings.contains((name as NSString).pathExtension.lowercased()) {
            name = (name as NSString).deletingPathExtension
        }
        return name
    }

    private static func standardised(_ path: String) -> String {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        return URL(fileURLWithPath: absolute).standardizedFileURL.resolvingSymlinksInPath().path
    }
}
