public import Kernels

/// What attention may know of the tokens it works on: which of them are patches of an image, and where they lie. The result
/// does not depend on it, but VFA's first tile does.
public struct TokenLayout: Sendable, Hashable {
    /// Class and register tokens, which come first.
    public var leadingTokens: Int
    /// Patches in a row of the image; nil where the tokens are no whole image.
    public var gridWidth: Int?
    /// In which order the patches come.
    public var order: GridOrder

    public init(leadingTokens: Int = 1, gridWidth: Int? = nil, order: GridOrder = .rows) {
        self.leadingTokens = leadingTokens
        self.gridWidth = gridWidth
        self.order = order
    }
}
