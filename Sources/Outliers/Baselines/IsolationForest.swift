import Foundation
import Kernels
import Tensors

/// Isolation forest (Liu, Ting & Zhou 2008, doi:10.1109/ICDM.2008.17): vectors that random splits separate from the others
/// after a few steps are unusual.
///
/// Each tree splits a random sample by a random column at a random place between the sample's extremes, until vectors are
/// alone or the depth is ⌈log₂ sample⌉. The score is 2^(−E[h]/c(sample)) in (0, 1): about 0.5 for ordinary vectors.
public struct IsolationForest: StoredScorer {
    public let name = "isolation-forest"
    /// Numbers a vector.
    public let width: Int
    /// Vectors that each tree was grown from.
    public let sample: Int

    /// The nodes of all trees. The children of an inner node are adjacent.
    private var nodes: [Node] = []
    /// The first node of each tree.
    private var roots: [Int] = []

    private struct Node {
        /// −1 for a leaf.
        var column = -1
        /// Not greater: to the left.
        var threshold: Float = 0
        var left = 0
        /// Of a leaf: its depth, and the mean depth of a tree of the vectors that it holds.
        var pathLength: Float = 0
    }

    /// Grows a forest. Vectors with a number that is not finite are left out.
    ///
    /// - Parameters:
    ///   - trees: 100 in the paper.
    ///   - sample: vectors for each tree, 256 in the paper; all where there are fewer.
    public init(fitting vectors: VectorSet, trees: Int = 100, sample: Int = 256, seed: UInt64 = 1) throws(OutlierError)
    {
        guard trees > 0, sample > 1 else {
            throw OutlierError(
                .invalidSetting, "expected trees and at least 2 vectors a tree, got \(trees) and \(sample)")
        }
        let usable = vectors.finiteRows()
        guard usable.count > 1 else {
            throw OutlierError(.tooFewVectors, "an isolation forest needs 2 finite vectors, got \(usable.count)")
        }
        width = vectors.width
        self.sample = min(sample, usable.count)
        let depth = Int(log2(Double(self.sample)).rounded(.up))
        for tree in 0..<trees {
            var random = RandomNumbers(seed: seed, stream: UInt64(tree))
            var members = usable
            for place in 0..<self.sample {
                members.swapAt(place, place + random.integer(below: members.count - place))
            }
            roots.append(nodes.count)
            nodes.append(Node())
            grow(nodes.count - 1, Array(members.prefix(self.sample)), depth: 0, limit: depth, vectors, &random)
        }
    }

    private mutating func grow(
        _ node: Int, _ members: [Int], depth: Int, limit: Int, _ vectors: VectorSet, _ random: inout RandomNumbers
    ) {
        func value(_ row: Int, _ column: Int) -> Float { vectors.values[row * width + column] }
        if members.count > 1, depth < limit {
            // Columns in random order, until one varies.
            for column in random.permutation(width) {
                var (low, high) = (Float.infinity, -Float.infinity)
                for row in members {
                    low = min(low, value(row, column))
                    high = max(high, value(row, column))
                }
                guard low < high else { continue }
                let place = Float(Double(low) + (Double(high) - Double(low)) * Double(random.uniform()))
                let threshold = place < high ? place : low
                nodes[node].column = column
                nodes[node].threshold = threshold
                nodes[node].left = nodes.count
                let left = nodes.count
                nodes += [Node(), Node()]
                let sides = (
                    members.filter { value($0, column) <= threshold }, members.filter { value($0, column) > threshold }
                )
                grow(left, sides.0, depth: depth + 1, limit: limit, vectors, &random)
                grow(left + 1, sides.1, depth: depth + 1, limit: limit, vectors, &random)
                return
            }
        }
        nodes[node].pathLength = Float(Double(depth) + Self.meanDepth(members.count))
    }

    /// c(n): the mean depth at which a search in a binary tree of n fails.
    static func meanDepth(_ count: Int) -> Double {
        guard count > 2 else { return count == 2 ? 1 : 0 }
        let n = Double(count)
        return 2 * (log(n - 1) + 0.5772156649015329) - 2 * (n - 1) / n
    }

    public func scores(_ vectors: VectorSet) throws -> [Double] {
        try OutlierError.check(width: vectors.width, expected: width)
        var scores = [Double](repeating: .nan, count: vectors.count)
        let scale = Self.meanDepth(sample) * Double(roots.count)
        scores.withUnsafeMutableBufferPointer { scores in
            WorkerPool(threads: ProcessInfo.processInfo.activeProcessorCount).parallelFor(vectors.count) { index in
                vectors.withRows(index..<index + 1) { row in
                    guard row.allSatisfy(\.isFinite) else { return }
                    var sum = 0.0
                    for root in roots {
                        var node = root
                        while nodes[node].column >= 0 {
                            node = nodes[node].left + (row[nodes[node].column] <= nodes[node].threshold ? 0 : 1)
                        }
                        sum += Double(nodes[node].pathLength)
                    }
                    scores[index] = exp2(-sum / scale)
                }
            }
        }
        return scores
    }

    // MARK: - Files

    public func save(to path: String) throws {
        // Node numbers are exact in float32 up to 2²⁴.
        guard nodes.count < 1 << 24, width < 1 << 24 else {
            throw OutlierError(.invalidFile, "\(path): \(nodes.count) nodes are too many for a file")
        }
        let table = nodes.flatMap { [Float($0.column), $0.threshold, Float($0.left), $0.pathLength] }
        try ScorerFile.write(
            name, [("nodes", table, [nodes.count, 4]), ("roots", roots.map(Float.init), [roots.count])],
            strings: ["width": String(width), "sample": String(sample)], to: path)
    }

    public init(path: String) throws {
        let file = try ScorerFile(path: path, method: "isolation-forest")
        width = try file.value("width")
        sample = try file.value("sample")
        let (table, shape) = try file.tensor("nodes", dimensions: 2)
        let firsts = try file.tensor("roots", dimensions: 1).values
        guard shape[1] == 4, width > 0, sample > 1, table.allSatisfy(\.isFinite) else {
            throw file.invalid("holds no forest")
        }
        nodes = (0..<shape[0]).map { row in
            Node(
                column: Int(table[4 * row]), threshold: table[4 * row + 1], left: Int(table[4 * row + 2]),
                pathLength: table[4 * row + 3])
        }
        roots = firsts.map { $0.isFinite ? Int($0) : -1 }
        // Children come after their parents, so that every walk ends.
        for (number, node) in nodes.enumerated() where node.column >= 0 {
            guard node.column < width, node.left > number, node.left + 1 < nodes.count else {
                throw file.invalid("node \(number) leads nowhere")
            }
        }
        guard roots.allSatisfy(nodes.indices.contains) else { throw file.invalid("holds no forest") }
    }
}
