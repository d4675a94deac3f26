/// A queue that cannot be built, or labels that cannot be learnt from.
public struct ActiveLearningError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// A strategy, a task or a setting that cannot be.
        case configuration
        /// The run folder lacks a file, or it does not fit.
        case run
        /// There is too little to learn from.
        case labels
    }

    public let kind: Kind
    public let path: String?
    public let reason: String

    public init(_ kind: Kind, path: String? = nil, _ reason: String) {
        self.kind = kind
        self.path = path
        self.reason = reason
    }

    public var description: String { path.map { "\($0): \(reason)" } ?? reason }
}
