/// Why vectors cannot be searched or scored.
public struct OutlierError: Error, CustomStringConvertible, Equatable {
    /// Kinds of failure.
    public enum Kind: String, Sendable {
        /// Vectors of another width than those that a method was fitted on.
        case widthMismatch
        /// Fewer usable vectors than the method needs.
        case tooFewVectors
        /// A file that is not the fitted method or index that it should be.
        case invalidFile
        /// A setting outside its range.
        case invalidSetting
    }

    public var kind: Kind
    /// What is wrong, as a clause.
    public var reason: String

    public init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    public var description: String { reason }

    /// Throws ``Kind/widthMismatch`` unless both widths are equal.
    static func check(width: Int, expected: Int) throws(OutlierError) {
        guard width == expected else {
            throw OutlierError(.widthMismatch, "the vectors have \(width) numbers, expected \(expected)")
        }
    }
}
