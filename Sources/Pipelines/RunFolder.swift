import Foundation

/// The folder that holds everything a run makes, and nothing else.
///
///     RUN/
///       catalog.fits, catalog.ecsv …   one row an object
///       embeddings.fits                id_str, file_loc, vector column `embedding`
///       failures.ecsv                  one row for every input that could not be used
///       contact_sheet.png              the most unusual objects
///       scores.png                     distribution of the score
///       provenance.json                version, configuration, digests, seed, times
///       run.yaml                       the run file with every setting
///       work/                          the journal of a run that has not finished (removed at its end)
public struct RunFolder: Sendable {
    public let path: String

    public init(path: String) {
        self.path = path
    }

    public func file(_ name: String) -> String { path + "/" + name }
    public var provenance: String { file("provenance.json") }
    public var configuration: String { file("run.yaml") }
    public var embeddings: String { file("embeddings.fits") }
    public var failures: String { file("failures.ecsv") }
    public var contactSheet: String { file("contact_sheet.png") }
    public var scoreHistogram: String { file("scores.png") }
    public var work: String { file("work") }

    /// What a folder holds before a run starts.
    public enum State: Sendable {
        case absent
        case empty
        /// A run that ended; its outputs are complete.
        case finished
        /// A run that was interrupted; its journal is there.
        case unfinished
        /// Something else: not to be touched.
        case foreign
    }

    public var state: State {
        let files = FileManager.default
        var isFolder: ObjCBool = false
        guard files.fileExists(atPath: path, isDirectory: &isFolder) else { return .absent }
        guard isFolder.boolValue, let names = try? files.contentsOfDirectory(atPath: path) else { return .foreign }
        if names.isEmpty { return .empty }
        if names.contains("work") && names.contains("run.yaml") { return .unfinished }
        if names.contains("provenance.json") && names.contains("run.yaml") { return .finished }
        return .foreign
    }

    /// Makes the folder ready for a run.
    ///
    /// - Parameters:
    ///   - resume: an unfinished run is continued instead of refused.
    ///   - overwrite: an earlier run is removed first. A folder that is no run folder is never removed.
    /// - Returns: whether there is a journal to continue.
    /// - Throws: `PipelineError` that says what the folder holds and what to do about it.
    public func prepare(resume: Bool, overwrite: Bool) throws(PipelineError) -> Bool {
        switch state {
        case .absent, .empty: break
        case .foreign:
            throw PipelineError(.output, path: path, "exists and is no run folder of this program; choose another")
        case .finished:
            guard overwrite else {
                throw PipelineError(
                    .output, path: path, "holds a finished run; choose another folder or say --overwrite")
            }
            try clear()
        case .unfinished:
            if resume { return true }
            guard overwrite else {
                throw PipelineError(
                    .output, path: path,
                    "holds an interrupted run; say --resume to continue it or --overwrite to start anew")
            }
            try clear()
        }
        do {
            try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
        } catch {
            throw PipelineError(.output, path: path, "cannot be created: \(Self.reason(error))")
        }
        return false
    }

    /// Removes the files that a run writes; a file that the user put beside them stays.
    private func clear() throws(PipelineError) {
        let made =
            [
                "embeddings.fits", "failures.ecsv", "contact_sheet.png", "scores.png", "provenance.json", "run.yaml",
                "work",
            ]
            + ["fits", "ecsv", "csv", "vot"].map { "catalog." + $0 }
        for name in made where FileManager.default.fileExists(atPath: file(name)) {
            do {
                try FileManager.default.removeItem(atPath: file(name))
            } catch {
                throw PipelineError(.output, path: file(name), "cannot be removed: \(Self.reason(error))")
            }
        }
    }

    /// Writes a small file to a temporary name and renames it.
    public func write(_ text: String, to path: String) throws(PipelineError) {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw PipelineError(.output, path: path, "cannot be written: \(Self.reason(error))")
        }
    }

    /// Removes the journal once the outputs stand.
    public func removeWork() throws(PipelineError) {
        do {
            try FileManager.default.removeItem(atPath: work)
        } catch {
            throw PipelineError(.output, path: work, "cannot be removed: \(Self.reason(error))")
        }
    }

    static func reason(_ error: any Error) -> String {
        let error = error as NSError
        if let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError, underlying.domain == NSPOSIXErrorDomain {
            return String(cString: strerror(Int32(underlying.code)))
        }
        return error.localizedDescription
    }
}
