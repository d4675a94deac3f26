/// What went wrong with a run as a whole: its file, its folder, or a disk that is full.
///
/// What goes wrong with a single image is no error of the run: it becomes a row in the failures table.
public struct PipelineError: Error, CustomStringConvertible, Sendable {
    public enum Kind: Sendable {
        /// The run file or an override of it is not valid.
        case configuration
        /// The input folder or list holds nothing to do or cannot be read.
        case input
        /// The run folder cannot be used or written.
        case output
        /// A model cannot be found or loaded.
        case model
    }

    public let kind: Kind
    /// The file or folder that is meant.
    public let path: String?
    /// The line in the run file, counted from 1.
    public let line: Int?
    public let reason: String

    public init(_ kind: Kind, path: String? = nil, line: Int? = nil, _ reason: String) {
        self.kind = kind
        self.path = path
        self.line = line
        self.reason = reason
    }

    public var description: String {
        switch (path, line) {
        case (let path?, let line?): "\(path), line \(line): \(reason)"
        case (let path?, nil): "\(path): \(reason)"
        case (nil, let line?): "line \(line): \(reason)"
        case (nil, nil): reason
        }
    }
}
