import Training

/// The greedy k-center algorithm: again and again the object that is farthest from all chosen ones (Sener & Savarese 2018,
/// arXiv 1708.00489). Within a factor of two of the best cover (Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5).
public struct CoreSet: Sendable {
    let features: MorphologyFeatures

    public init(_ features: MorphologyFeatures) {
        self.features = features
    }

    /// - Parameters:
    ///   - count: how many to choose; fewer where there are no more.
    ///   - candidates: rows to choose among.
    ///   - labelled: rows that are covered already. Without any, the first candidate is chosen first.
    /// - Returns: the chosen rows, the farthest first, each with its distance to the nearest one chosen before.
    public func choose(_ count: Int, among candidates: [Int], labelled: [Int]) -> [(row: Int, distance: Float)] {
        var nearest = [Float](repeating: .infinity, count: candidates.count)
        for row in labelled { cover(row, candidates, &nearest) }
        var chosen: [(row: Int, distance: Float)] = []
        while chosen.count < min(count, candidates.count) {
            var farthest = 0
            for place in nearest.indices where nearest[place] > nearest[farthest] { farthest = place }
            // What is left coincides with something chosen.
            if nearest[farthest] < 0 { break }
            chosen.append((candidates[farthest], nearest[farthest].squareRoot()))
            cover(candidates[farthest], candidates, &nearest)
            nearest[farthest] = -1
        }
        return chosen
    }

    /// Takes the squared distances to one more center into account.
    private func cover(_ center: Int, _ candidates: [Int], _ nearest: inout [Float]) {
        let width = features.width
        features.values.withUnsafeBufferPointer { values in
            let origin = center * width
            for (place, row) in candidates.enumerated() where nearest[place] > 0 {
                var sum: Float = 0
                for channel in 0..<width {
                    let difference = values[row * width + channel] - values[origin + channel]
                    sum += difference * difference
                }
                nearest[place] = min(nearest[place], sum)
            }
        }
    }
}
