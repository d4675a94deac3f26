/// How early rows come near their final maximum while their keys are taken block by block.
struct MaximumReach: Sendable {
    /// Whether the priority tile goes first, and as one block.
    let priorityFirst: Bool
    /// How near counts, in units of log₂.
    static let limits: [Float] = [1, 8]
    /// For each limit, the share of the keys that was taken when each row first came that near.
    private(set) var shares: [[Float]] = limits.map { _ in [] }
    /// For each limit, rows that are there after as many keys as the priority tile has.
    private(set) var rowsAfterPriority = limits.map { _ in 0 }
    /// Keys of the priority tile, summed over rows, as shares of all keys.
    private(set) var priorityShare = 0.0

    var rows: Int { shares[0].count }

    init(priorityFirst: Bool) {
        self.priorityFirst = priorityFirst
    }

    mutating func add(_ tile: ScoreTile, groupsPerBlock: Int) {
        let blocks = tile.blocks(priorityFirst: priorityFirst, groupsPerBlock: groupsPerBlock)
        var best = [Float](repeating: -.infinity, count: tile.rows)
        var reached = Self.limits.map { _ in [Float](repeating: .nan, count: tile.rows) }
        var taken = 0
        for block in blocks {
            taken += tile.keyCount(block)
            for (row, maximum) in tile.maxima(over: block).enumerated() {
                best[row] = max(best[row], maximum)
                for (index, limit) in Self.limits.enumerated()
                where reached[index][row].isNaN && best[row] >= tile.maxima[row] - limit {
                    reached[index][row] = Float(taken) / Float(tile.keys)
                }
            }
        }
        let first = priorityFirst ? tile.priorityGroups : Array(0..<tile.priorityGroups.count)
        let afterPriority = tile.maxima(over: first)
        for (index, limit) in Self.limits.enumerated() {
            shares[index] += reached[index]
            rowsAfterPriority[index] += (0..<tile.rows).count { afterPriority[$0] >= tile.maxima[$0] - limit }
        }
        priorityShare += Double(tile.rows) * Double(tile.keyCount(first)) / Double(tile.keys)
    }

    static func += (a: inout MaximumReach, b: MaximumReach) {
        for index in limits.indices {
            a.shares[index] += b.shares[index]
            a.rowsAfterPriority[index] += b.rowsAfterPriority[index]
        }
        a.priorityShare += b.priorityShare
    }
}
