import Tensors

/// A measured number with the interval in which 95 % of its bootstrap resamples lie.
public struct MetricInterval: Codable, Sendable, Hashable {
    public var value: Double
    public var low: Double
    public var high: Double

    public init(value: Double, low: Double, high: Double) {
        self.value = value
        self.low = low
        self.high = high
    }
}

/// Intervals by resampling the objects with replacement (Efron 1979, doi:10.1214/aos/1176344552): percentiles 2.5 and 97.5.
public struct Bootstrap: Sendable {
    public var resamples: Int
    public var seed: UInt64

    public init(resamples: Int = 500, seed: UInt64 = 0) {
        self.resamples = resamples
        self.seed = seed
    }

    /// - Parameters:
    ///   - count: objects.
    ///   - metrics: numbers by name when each object counts as often as its weight says. A metric that is not finite for a
    ///     resample (a class that is not in it) is left out of its interval.
    public func intervals(
        count: Int, _ metrics: @Sendable ([Double]) -> [String: Double]
    ) -> [String: MetricInterval] {
        let values = metrics([Double](repeating: 1, count: count))
        var samples: [String: [Double]] = [:]
        for resample in 0..<resamples where count > 0 {
            var random = RandomNumbers(seed: seed, stream: UInt64(resample))
            var weights = [Double](repeating: 0, count: count)
            for _ in 0..<count { weights[random.integer(below: count)] += 1 }
            for (name, value) in metrics(weights) where value.isFinite { samples[name, default: []].append(value) }
        }
        var result: [String: MetricInterval] = [:]
        for (name, value) in values {
            let sorted = (samples[name] ?? []).sorted()
            result[name] = MetricInterval(
                value: value, low: Self.percentile(sorted, 0.025) ?? value,
                high: Self.percentile(sorted, 0.975) ?? value)
        }
        return result
    }

    /// Linear between the two nearest, as NumPy's default.
    static func percentile(_ sorted: [Double], _ share: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let place = share * Double(sorted.count - 1)
        let lower = Int(place)
        let upper = min(lower + 1, sorted.count - 1)
        return sorted[lower] + (sorted[upper] - sorted[lower]) * (place - Double(lower))
    }
}
