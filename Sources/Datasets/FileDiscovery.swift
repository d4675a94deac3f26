import Foundation

/// Finds the objects in folders of images.
///
/// - FITS (`.fits`, `.fit`, `.fts`, `.fz`, packed or not), PNG and JPEG files count, by their endings; a file that is named
///   itself counts whatever its ending. Hidden files do not count. Folders are visited in the order of names, each once,
///   also where links form a loop.
/// - FITS files of one folder whose names differ only in a band between `-`, `_` or `.` (`m51-g.fits`, `m51-r.fits`) are
///   one object.
/// - A weight, mask, sigma or variance file (`…_oow_…`, `…_mask.fits` …) beside its image belongs to it and is no object
///   of its own; neither are PSFs, segmentation maps and backgrounds.
/// - The id is the file's name without endings, or the common part of the names; where two objects would have the same
///   one, the folder stands before it.
public struct FileDiscovery: Sendable {
    public var recursive = true
    public var groupsBands = true

    public init(recursive: Bool = true, groupsBands: Bool = true) {
        self.recursive = recursive
        self.groupsBands = groupsBands
    }

    /// - Parameter paths: folders and files.
    /// - Throws: `DiscoveryError` for a path that is not there, or when nothing is found.
    public func objects(in paths: [String]) throws(DiscoveryError) -> [ObjectFiles] {
        var found: [(root: String, object: ObjectFiles)] = []
        var visited: Set<String> = []
        for path in paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw DiscoveryError(path: path, reason: "does not exist")
            }
            let root = isFolder.boolValue ? path : (path as NSString).deletingLastPathComponent
            if isFolder.boolValue {
                for object in try visit(path, visited: &visited) { found.append((root, object)) }
            } else {
                let parts = FileNameParts(name: (path as NSString).lastPathComponent)
                found.append((root, ObjectFiles(id: parts.stem, planes: [.init(path: path)])))
            }
        }
        guard !found.isEmpty else {
            throw DiscoveryError(
                path: paths.joined(separator: ", "), reason: "holds no FITS, PNG or JPEG image")
        }
        return unique(found)
    }

    /// One object whose bands are these files; a band is named by its file's name where that says it.
    public static func object(joining paths: [String]) -> ObjectFiles {
        let parts = paths.map { FileNameParts(name: ($0 as NSString).lastPathComponent) }
        return ObjectFiles(
            id: parts.first?.stem ?? "",
            planes: zip(paths, parts).map { .init(band: paths.count > 1 ? $1.band?.name : nil, path: $0) })
    }

    // MARK: - Folders

    private func visit(_ folder: String, visited: inout Set<String>) throws(DiscoveryError) -> [ObjectFiles] {
        let real = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
        guard visited.insert(real).inserted else { return [] }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }.sorted()
        } catch {
            throw DiscoveryError(path: folder, reason: "cannot be read: \(error.localizedDescription)")
        }
        var files: [String] = []
        var folders: [String] = []
        for name in names {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: folder + "/" + name, isDirectory: &isFolder) else { continue }
            if isFolder.boolValue { folders.append(name) } else { files.append(name) }
        }
        var objects = self.objects(files: files, folder: folder)
        if recursive {
            for name in folders { objects += try visit(folder + "/" + name, visited: &visited) }
        }
        return objects
    }

    private func objects(files: [String], folder: String) -> [ObjectFiles] {
        var images: [(name: String, key: String, parts: FileNameParts)] = []
        var companions: [String: [(FileNameParts.Role, String)]] = [:]
        let parsed = files.map { ($0, FileNameParts(name: $0)) }.filter { $0.1.isFITS || $0.1.isPicture }
        let plain = Set(
            parsed.filter { $0.1.isFITS }.map { $0.1.role?.role == .image ? $0.1.role!.rest : key($0.1.stem) })
        for (name, parts) in parsed {
            // A companion needs an image beside it; alone it is an image like any other.
            if parts.isFITS, let (role, rest) = parts.role, role != .image, plain.contains(rest),
                key(parts.stem) != rest
            {
                companions[rest, default: []].append((role, name))
            } else {
                let own = parts.role.flatMap { $0.role == .image ? $0.rest : nil } ?? key(parts.stem)
                images.append((name, own, parts))
            }
        }

        var groups: [String: [Int]] = [:]
        if groupsBands {
            for (index, image) in images.enumerated() where image.parts.isFITS {
                if let (_, rest) = image.parts.band { groups[rest, default: []].append(index) }
            }
        }
        func place(_ index: Int) -> Int {
            images[index].parts.band.flatMap { FileNameParts.bands.firstIndex(of: $0.name) } ?? 0
        }
        var objects: [ObjectFiles] = []
        var done: Set<Int> = []
        for (index, image) in images.enumerated() where !done.contains(index) {
            var members = [index]
            var id = image.parts.stem
            if let (_, rest) = image.parts.band, let group = groups[rest], group.count > 1,
                Set(group.map { images[$0].parts.band!.name }).count == group.count
            {
                // By wavelength, as users list bands.
                members = group.sorted { place($0) < place($1) }
                id = rest.isEmpty ? (folder as NSString).lastPathComponent : rest
            }
            done.formUnion(members)
            let planes = members.map { member in
                var plane = ObjectFiles.Plane(
                    band: members.count > 1 ? images[member].parts.band?.name : nil,
                    path: folder + "/" + images[member].name)
                for (role, name) in companions[images[member].key] ?? [] {
                    switch role {
                    case .weight: plane.weight = folder + "/" + name
                    case .sigma: plane.sigma = folder + "/" + name
                    case .variance: plane.variance = folder + "/" + name
                    case .mask: plane.mask = folder + "/" + name
                    case .image, .other: break
                    }
                }
                return plane
            }
            objects.append(ObjectFiles(id: id, planes: planes))
        }
        return objects
    }

    /// A stem with its separators made alike, to compare with the rest of another one.
    private func key(_ stem: String) -> String {
        String(stem.map { "-.".contains($0) ? "_" : $0 })
    }

    // MARK: - Names

    private func unique(_ found: [(root: String, object: ObjectFiles)]) -> [ObjectFiles] {
        var count: [String: Int] = [:]
        for (_, object) in found { count[object.id, default: 0] += 1 }
        var used: Set<String> = []
        return found.map { root, object in
            var object = object
            if count[object.id]! > 1 {
                object.hadDuplicateID = true
                let folder = (object.planes[0].path as NSString).deletingLastPathComponent
                if folder.hasPrefix(root + "/") { object.id = folder.dropFirst(root.count + 1) + "/" + object.id }
            }
            var candidate = object.id
            var number = 2
            while !used.insert(candidate).inserted {
                candidate = "\(object.id)~\(number)"
                number += 1
                object.hadDuplicateID = true
            }
            object.id = candidate
            return object
        }
    }
}
