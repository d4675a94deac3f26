/// Why training could not begin or go on.
public struct TrainingError: Error, CustomStringConvertible, Equatable {
    /// Kinds of failure.
    public enum Kind: String, Sendable {
        /// Settings that contradict each other or the data.
        case invalidConfiguration
        /// A checkpoint or log cannot be read or written.
        case file
        /// The loss is no longer a number.
        case diverged
    }

    public var kind: Kind
    /// The file, if one is concerned.
    public var path: String?
    /// What is wrong, as a clause.
    public var reason: String

    public init(_ kind: Kind, path: String? = nil, reason: String) {
        self.kind = kind
        self.path = path
        self.reason = reason
    }

    public var description: String { path.map { "\($0): \(reason)" } ?? reason }
}
