/// Why a model could not be built, loaded or saved.
public struct ModelError: Error, CustomStringConvertible, Equatable {
    /// Kinds of failure.
    public enum Kind: String, Sendable {
        /// The configuration describes no possible network.
        case invalidConfiguration
        /// The file cannot be read or written, or is no safetensors file.
        case file
        /// The tensors in the file are not those that the network needs.
        case mismatchedCheckpoint
    }

    public var kind: Kind
    /// The file, if one is concerned.
    public var path: String?
    /// What is wrong, as a clause.
    public var reason: String
    /// Parameters that the network needs and the file does not have, by the network's names.
    public var missing: [String]
    /// Tensors in the file that the network does not have, by the file's names.
    public var unused: [String]
    /// Tensors whose shapes differ, each with both shapes.
    public var mismatched: [String]

    public init(
        _ kind: Kind, path: String? = nil, reason: String, missing: [String] = [], unused: [String] = [],
        mismatched: [String] = []
    ) {
        self.kind = kind
        self.path = path
        self.reason = reason
        self.missing = missing
        self.unused = unused
        self.mismatched = mismatched
    }

    public var description: String { path.map { "\($0): \(details)" } ?? details }

    /// The reason and what is missing, unused or different, without the path.
    public var details: String {
        var text = reason
        if !missing.isEmpty { text += "; missing: \(missing.joined(separator: ", "))" }
        if !unused.isEmpty { text += "; unused: \(unused.joined(separator: ", "))" }
        if !mismatched.isEmpty { text += "; of another shape: \(mismatched.joined(separator: ", "))" }
        return text
    }
}
