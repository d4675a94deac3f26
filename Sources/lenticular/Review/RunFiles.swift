import Foundation
import Pipelines

/// Finds the image files that a run's tables name: relative to the run's input folders, files of one object joined by ';'.
struct RunFiles: Sendable {
    private let roots: [String]

    /// - Parameter run: its provenance says where its input was; without it names count from the current folder.
    init(_ run: RunFolder) {
        guard let data = FileManager.default.contents(atPath: run.provenance),
            let provenance = try? JSONDecoder().decode(Provenance.self, from: data)
        else {
            roots = []
            return
        }
        roots = provenance.input.paths
    }

    func paths(of location: String) -> [String] {
        location.split(separator: ";").map { part in
            let name = String(part)
            if name.hasPrefix("/") { return name }
            let candidates = roots.map { $0 + "/" + name }
            return candidates.first { FileManager.default.fileExists(atPath: $0) } ?? name
        }
    }
}
