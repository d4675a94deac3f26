/// A file that cannot be read or written as an image: which file, which HDU, and why.
public struct ImageError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// The file is not there, not a regular file, or not readable.
        case access
        /// The file is of no kind that is read.
        case format
        /// The file ends too early or contradicts itself.
        case damaged
        /// The file is valid but holds no image, or not the one asked for.
        case content
        /// Valid and understood, but not supported.
        case unsupported
        /// Files or planes that were to be joined do not fit together.
        case mismatch
        /// The output cannot be written.
        case output
    }

    public let kind: Kind
    public let path: String
    /// HDU number, 0 = primary.
    public let hdu: Int?
    public let reason: String

    public init(_ kind: Kind, path: String, hdu: Int? = nil, _ reason: String) {
        self.kind = kind
        self.path = path
        self.hdu = hdu
        self.reason = reason
    }

    public var description: String {
        if let hdu { "\(path)[\(hdu)]: \(reason)" } else { "\(path): \(reason)" }
    }
}
