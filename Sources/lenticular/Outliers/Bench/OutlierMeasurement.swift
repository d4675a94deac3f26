import Outliers

/// What one method found in one mixture.
struct OutlierMeasurement: Sendable {
    var set: String
    var method: OutlierMethod
    var seed: Int
    /// Share of outliers.
    var contamination: Double
    /// Neighbours; 0 where the method has none.
    var k: Int
    var inliers: Int
    var outliers: Int
    /// Share of the outliers among as many flagged objects as there are outliers.
    var recall: Double
    /// Share of the outliers among the first 1, 2 and 5 % of all.
    var recallTop1: Double
    var recallTop2: Double
    var recallTop5: Double
    var area: Double
    /// Seconds.
    var training: Double
    var encoding: Double
    var search: Double

    var total: Double { training + encoding + search }
}

/// Recall of ranked scores.
struct RankedScores {
    /// Truth by falling score; ties in the order of the objects.
    private let isOutlier: [Bool]
    private let outliers: Int

    init(_ scores: [Double], isOutlier: [Bool]) {
        let order = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
        self.isOutlier = order.map { isOutlier[$0] }
        outliers = isOutlier.count { $0 }
    }

    /// Share of the outliers among the first so many.
    func recall(first count: Int) -> Double {
        outliers > 0 ? Double(isOutlier.prefix(count).count { $0 }) / Double(outliers) : .nan
    }

    /// Share of the outliers among as many flagged objects as there are outliers.
    var recall: Double { recall(first: outliers) }

    /// Share of the outliers among a share of all objects, at least one.
    func recall(top share: Double) -> Double {
        recall(first: max(1, Int((share * Double(isOutlier.count)).rounded())))
    }
}

/// Mean over seeds, with the half width of its 95 % interval (Student's t).
struct SeedMean {
    let mean: Double
    let half: Double

    init(_ values: [Double]) {
        let finite = values.filter(\.isFinite)
        let count = Double(finite.count)
        mean = finite.isEmpty ? .nan : finite.reduce(0, +) / count
        guard finite.count > 1 else {
            half = .nan
            return
        }
        let center = mean
        let variance = finite.reduce(0) { $0 + ($1 - center) * ($1 - center) } / (count - 1)
        // Quantiles 0.975 for 1, 2 … degrees of freedom.
        let quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]
        let quantile = finite.count - 2 < quantiles.count ? quantiles[finite.count - 2] : 2.1
        half = quantile * (variance / count).squareRoot()
    }

    /// In percent: `78.0 ± 2.1`.
    var percent: String {
        mean.isNaN ? "–" : half.isNaN ? fixed(100 * mean, 1) : "\(fixed(100 * mean, 1)) ± \(fixed(100 * half, 1))"
    }
}
