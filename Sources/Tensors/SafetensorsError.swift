/// Why a safetensors file could not be read or written.
public struct SafetensorsError: Error, CustomStringConvertible, Equatable {
    /// Kinds of failure.
    public enum Kind: String, Sendable {
        /// The file cannot be opened, read, written or renamed.
        case inputOutput
        /// The file is not a valid safetensors file.
        case invalidFile
        /// The file is valid, but the tensor asked for is not in it.
        case missingTensor
        /// The tensor has an element type that cannot be converted.
        case unsupportedType
    }

    public var kind: Kind
    /// The file.
    public var path: String
    /// The tensor concerned, if one is.
    public var tensor: String?
    /// What is wrong, as a clause.
    public var reason: String

    public init(_ kind: Kind, path: String, tensor: String? = nil, reason: String) {
        self.kind = kind
        self.path = path
        self.tensor = tensor
        self.reason = reason
    }

    public var description: String {
        tensor.map { "\(path), tensor \"\($0)\": \(reason)" } ?? "\(path): \(reason)"
    }
}
