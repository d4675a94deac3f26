import Tensors

/// Orders in which the tokens of an image can lie in memory, and so be taken by an attention kernel. Prefix tokens always
/// come first.
public enum TokenOrder: String, Sendable, Codable, CaseIterable {
    /// The grid of patches row by row.
    case raster
    /// Squares of 8 × 8 patches row by row, row by row inside.
    case tiles
    /// Along a Hilbert curve (Hilbert 1891), which keeps neighbours together at every scale.
    case hilbert
    /// Patches in random order: the control, in which nothing is local.
    case random
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
        let cells = Array(0..<(rows * columns))
        let sorted: [Int]
        switch order {
        case .raster: sorted = cells
        case .tiles: sorted = cells.sorted { tileKey($0).lexicographicallyPrecedes(tileKey($1)) }
        case .hilbert:
            var side = 1
            while side < max(rows, columns) { side *= 2 }
            let distances = cells.map { Self.hilbertDistance(x: $0 % columns, y: $0 / columns, side: side) }
            sorted = cells.sorted { distances[$0] < distances[$1] }
        case .random:
            var random = RandomNumbers(seed: seed)
            sorted = random.permutation(cells.count)
        }
        return Array(0..<prefix) + sorted.map { prefix + $0 }
    }

    private func tileKey(_ cell: Int) -> [Int] {
        let (x, y) = (cell % columns, cell / columns)
        return [y / 8, x / 8, y % 8, x % 8]
    }

    /// How far along the Hilbert curve that fills a square of `side` (a power of two) a cell lies.
    static func hilbertDistance(x: Int, y: Int, side: Int) -> Int {
        var (x, y, distance) = (x, y, 0)
        var half = side / 2
        while half > 0 {
            let (right, up) = (x & half > 0 ? 1 : 0, y & half > 0 ? 1 : 0)
            distance += half * half * ((3 * right) ^ up)
            if up == 0 {
                if right == 1 { (x, y) = (side - 1 - x, side - 1 - y) }
                swap(&x, &y)
            }
            half /= 2
        }
        return distance
    }

    /// For each group of `size` places of an order, whether a tile of queries takes it first: the groups with a prefix token
    /// (or the first token), with a query's own token, or with one of its eight neighbours on the grid.
    ///
    /// In raster order these are the keys of the kernels' priority tile.
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
