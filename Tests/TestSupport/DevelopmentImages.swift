import Foundation

/// Real astronomical images to test with, where they are installed: `$LENTICULAR_DATA`, or `../shared/data` beside the package.
public enum DevelopmentImages {
    /// nil where there are none; tests that need them are skipped then.
    public static let folder: String? = {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let candidates: [String?] = [
            ProcessInfo.processInfo.environment["LENTICULAR_DATA"],
            package.deletingLastPathComponent().appendingPathComponent("shared/data").path,
        ]
        return candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0) }
    }()

    public static var areInstalled: Bool { folder != nil }

    /// The path of a file or folder among them.
    public static func path(_ name: String) -> String { (folder ?? "") + "/" + name }

    /// All files below a folder whose names end in one of these.
    public static func files(below name: String, endings: [String]) -> [String] {
        let root = path(name)
        let names = FileManager.default.enumerator(atPath: root)?.allObjects as? [String] ?? []
        return names.filter { name in endings.contains { name.lowercased().hasSuffix($0) } }.sorted().map {
            root + "/" + $0
        }
    }
}

/// A folder that is removed after `body`.
public func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = NSTemporaryDirectory() + "lenticular-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// A JSON file below Tests/Fixtures.
public func fixture<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/" + name)
    return try JSONDecoder().decode(type, from: Data(contentsOf: path))
}
