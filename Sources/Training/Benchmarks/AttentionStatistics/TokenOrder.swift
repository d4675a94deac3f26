import Kernels
import Tensors

/// Orders in which the tokens of an image can lie in memory, and so be taken by an attention kernel. Prefix tokens always
/// come first.
public enum TokenOrder: String, Sendable, Codable, CaseIterable {
    /// The grid of patches row by row.
    case rows
    /// Squares of 8 × 8 patches.
    case blocks
    /// Along a Hilbert curve.
    case hilbert
    /// Patches in random order: the control, in which nothing is local.
    case random

    /// The kernels' name for it; nil for the control.
    var gridOrder: GridOrder? { GridOrder(rawValue: rawValue) }
}

/// Where the tokens of an image lie: prefix tokens, then a grid of patches.
public struct TokenGrid: Sendable, Hashable {
    /// Class and register tokens.
    public var prefix: Int
    public var rows: Int
    public var columns: Int

    public init(prefix: Int, rows: Int, columns: Int) {
        self.prefix = prefix
        self.rows = rows
        self.columns = columns
    }

    /// Number of all tokens.
    public var tokens: Int { prefix + rows * columns }

    /// The token at each place of an order: a permutation of `0..<tokens`.
    ///
    /// - Parameter seed: of the random order.
    public func permutation(_ order: TokenOrder, seed: UInt64 = 0) -> [Int] {
        var random = RandomNumbers(seed: seed)
        let cells =
            order.gridOrder?.cells(width: columns, height: rows) ?? random.permutation(rows * columns)
        return Array(0..<prefix) + cells.map { prefix + $0 }
    }

    /// For each group of `size` places of an order, whether a tile of queries takes it first: the groups with a prefix token
    /// (or the first token), with a query's own token, or with one of its eight neighbours on the grid.
    ///
    /// These are the groups of the kernels' priority tile.
    /// - Parameters:
    ///   - order: the token at each place.
    ///   - queries: places of the tile's queries.
    package func priorityGroups(order: [Int], queries: Range<Int>, size: Int) -> [Bool] {
        var near = [Bool](repeating: false, count: tokens)
        for token in 0..<max(prefix, 1) { near[token] = true }
        for place in queries where order[place] >= prefix {
            let cell = order[place] - prefix
            let (x, y) = (cell % columns, cell / columns)
            for ny in max(y - 1, 0)...min(y + 1, rows - 1) {
                for nx in max(x - 1, 0)...min(x + 1, columns - 1) { near[prefix + ny * columns + nx] = true }
            }
        }
        return stride(from: 0, to: tokens, by: size).map { start in
            order[start..<min(start + size, tokens)].contains { near[$0] }
        }
    }
}
