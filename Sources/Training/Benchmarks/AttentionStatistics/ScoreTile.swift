import Tensors

/// The scores of a tile of queries with all keys of a head, and which keys the tile takes first.
package struct ScoreTile {
    let rows: Int
    let keys: Int
    /// (rows, keys)
    let scores: [Float]
    /// (rows, groups): the maximum over each group of consecutive keys.
    let groupMaxima: [Float]
    /// The largest score of each row.
    package let maxima: [Float]
    /// Groups of the priority tile, in order.
    let priorityGroups: [Int]
    /// The other groups, in order.
    let otherGroups: [Int]
    let groupSize: Int

    /// - Parameter isPriority: for each group of `groupSize` keys, whether it belongs to the priority tile.
    package init(scores: [Float], keys: Int, groupSize: Int, isPriority: [Bool]) {
        let rows = scores.count / keys
        let groups = (keys + groupSize - 1) / groupSize
        self.scores = scores
        self.keys = keys
        self.groupSize = groupSize
        self.rows = rows
        groupMaxima = scores.withUnsafeBufferPointer { scores in
            [Float](unsafeUninitializedCapacity: rows * groups) { out, count in
                for row in 0..<rows {
                    for group in 0..<groups {
                        var largest = -Float.infinity
                        for key in (group * groupSize)..<min((group + 1) * groupSize, keys) {
                            let score = scores[row * keys + key]
                            if score > largest { largest = score }
                        }
                        out[row * groups + group] = largest
                    }
                }
                count = rows * groups
            }
        }
        maxima = rowMaxima(groupMaxima, columns: groups)
        priorityGroups = isPriority.indices.filter { isPriority[$0] }
        otherGroups = isPriority.indices.filter { !isPriority[$0] }
    }

    var groups: Int { groupMaxima.count / max(rows, 1) }

    /// Keys in a list of groups; only the last group of all can be short.
    package func keyCount(_ list: some Sequence<Int>) -> Int {
        list.reduce(0) { $0 + min(groupSize, keys - $1 * groupSize) }
    }

    /// The keys of a list of groups.
    func keys(of list: some Sequence<Int>) -> [Int] {
        list.flatMap { Array(($0 * groupSize)..<min(($0 + 1) * groupSize, keys)) }
    }

    /// The largest score of each row in a list of groups.
    package func maxima(over list: some Collection<Int>) -> [Float] {
        (0..<rows).map { row in list.reduce(-Float.infinity) { max($0, groupMaxima[row * groups + $1]) } }
    }

    /// The scores of each row with `count` keys at regular distances.
    func sampled(_ count: Int) -> [SampledScores] {
        (0..<rows).map { SampledScores(scores[($0 * keys)..<(($0 + 1) * keys)], count: count) }
    }

    /// Lists of groups that a kernel takes together: `groupsPerBlock` each, after the priority tile if that goes first.
    func blocks(priorityFirst: Bool, groupsPerBlock: Int) -> [[Int]] {
        func cut(_ list: [Int]) -> [[Int]] {
            stride(from: 0, to: list.count, by: groupsPerBlock).map {
                Array(list[$0..<min($0 + groupsPerBlock, list.count)])
            }
        }
        return priorityFirst ? [priorityGroups] + cut(otherGroups) : cut(Array(0..<groups))
    }
}
