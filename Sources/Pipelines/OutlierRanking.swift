/// Places of objects by falling score.
package struct OutlierRanking {
    /// Indices of the objects whose score is a number, the most unusual first; ties in the order of the input, so that a run is
    /// reproducible.
    package let order: [Int]

    package init(_ scores: [Double]) {
        order = scores.indices.filter { scores[$0].isFinite }.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
    }

    /// Percentage of the objects with a lower score than the one in a place of ``order``; 100 for a single one.
    package func percentile(at place: Int) -> Double {
        order.count > 1 ? 100 * Double(order.count - 1 - place) / Double(order.count - 1) : 100
    }
}
