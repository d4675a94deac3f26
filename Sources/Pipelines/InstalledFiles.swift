import Foundation

/// The version that `--version` prints and provenance records.
public enum ProgramVersion {
    public static let current = "0.1.0"
}

/// Finds what ships with the program: models and run files.
///
/// They are looked for below `$LENTICULAR_HOME`, beside an installed program (`../share/lenticular`), and, for a
/// program run from a source tree, in that tree.
public enum InstalledFiles {
    /// The run file of a path, or of a name such as `quickstart`.
    ///
    /// - Throws: `PipelineError` that lists the names there are.
    public static func pipeline(named name: String) throws(PipelineError) -> String {
        try find(name, folders: ["pipelines"], ending: ".yaml", kind: .configuration, what: "run file")
    }

    /// The weights of a path, or of a model's name; `default` is the model that ships as the default.
    public static func model(named name: String) throws(PipelineError) -> String {
        try find(name, folders: ["data/models", "models"], ending: ".safetensors", kind: .model, what: "model")
    }

    /// The folder with the sample images.
    ///
    /// - Throws: `PipelineError` where the program was installed without them.
    public static func sample() throws(PipelineError) -> String {
        for root in roots {
            for folder in ["data/sample", "sample"] {
                var isFolder: ObjCBool = false
                if FileManager.default.fileExists(atPath: root + "/" + folder, isDirectory: &isFolder),
                    isFolder.boolValue
                {
                    return root + "/" + folder
                }
            }
        }
        throw PipelineError(.input, "no folder data/sample was found beside the program")
    }

    private static func find(
        _ name: String, folders: [String], ending: String, kind: PipelineError.Kind, what: String
    ) throws(PipelineError) -> String {
        if name.contains("/") || name.hasSuffix(ending) {
            guard FileManager.default.fileExists(atPath: name) else {
                throw PipelineError(kind, path: name, "does not exist")
            }
            return name
        }
        var known: Set<String> = []
        for root in roots {
            for folder in folders {
                let path = root + "/" + folder + "/" + name + ending
                if FileManager.default.fileExists(atPath: path) { return path }
                let files = (try? FileManager.default.contentsOfDirectory(atPath: root + "/" + folder)) ?? []
                known.formUnion(files.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) })
            }
        }
        let names = known.sorted()
        let list = names.isEmpty ? "none was found beside the program" : "there are: " + names.joined(separator: ", ")
        throw PipelineError(kind, "no \(what) is called '\(name)'; \(list)")
    }

    private static var roots: [String] {
        var roots: [String] = []
        if let home = ProcessInfo.processInfo.environment["LENTICULAR_HOME"] { roots.append(home) }
        let program =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        var folder = (program as NSString).deletingLastPathComponent
        roots.append((folder as NSString).deletingLastPathComponent + "/share/lenticular")
        // .build/<triple>/release/lenticular: the source tree is a few folders up.
        for _ in 0..<5 where folder.count > 1 {
            if FileManager.default.fileExists(atPath: folder + "/Package.swift") { roots.append(folder) }
            folder = (folder as NSString).deletingLastPathComponent
        }
        roots.append(FileManager.default.currentDirectoryPath)
        return roots
    }
}
