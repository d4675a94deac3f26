import Tensors

/// How good detections are, over many fields: precision, recall, F1 and average precision, with intervals.
public struct DetectionScores: Sendable, Codable, Equatable {
    /// A value with the interval that 95 % of bootstrap samples of the fields lie in.
    public struct Estimate: Sendable, Codable, Equatable {
        public var value: Double
        public var lower: Double
        public var upper: Double
    }

    /// Detections that are true sources, in all that are not faint.
    public var precision: Estimate
    /// True sources that were found, in all that are asked for.
    public var recall: Estimate
    /// Harmonic mean of both.
    public var f1: Estimate
    /// Area under the curve of precision against recall, all points (as COCO and Pascal VOC 2010 define it).
    public var averagePrecision: Estimate
    public var fields: Int
    /// True sources that are asked for.
    public var sources: Int
    public var detections: Int

    /// - Parameters:
    ///   - fields: the matchings of all fields.
    ///   - threshold: detections with smaller scores count only for the average precision.
    public init(_ fields: [DetectionMatching], threshold: Double = -.infinity, samples: Int = 500, seed: UInt64 = 1) {
        func values(_ part: [DetectionMatching]) -> [Double] {
            let (hits, wrong, wanted) = Self.counts(part, threshold)
            let precision = hits + wrong > 0 ? Double(hits) / Double(hits + wrong) : 0
            let recall = wanted > 0 ? Double(hits) / Double(wanted) : 0
            let f1 = precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
            return [precision, recall, f1, Self.averagePrecision(part)]
        }
        let central = values(fields)
        var random = RandomNumbers(seed: seed)
        var drawn: [[Double]] = []
        for _ in 0..<(fields.count > 1 ? samples : 0) {
            drawn.append(values(fields.map { _ in fields[random.integer(below: fields.count)] }))
        }
        func estimate(_ index: Int) -> Estimate {
            let sorted = drawn.map { $0[index] }.sorted()
            guard !sorted.isEmpty else { return Estimate(value: central[index], lower: .nan, upper: .nan) }
            let edge = Int(0.025 * Double(sorted.count))
            return Estimate(value: central[index], lower: sorted[edge], upper: sorted[sorted.count - 1 - edge])
        }
        (precision, recall, f1, averagePrecision) = (estimate(0), estimate(1), estimate(2), estimate(3))
        self.fields = fields.count
        sources = fields.reduce(0) { $0 + $1.wanted.count }
        detections = fields.reduce(0) { $0 + $1.detections.filter { $0.score >= threshold }.count }
    }

    private static func counts(_ fields: [DetectionMatching], _ threshold: Double) -> (
        hits: Int, wrong: Int, wanted: Int
    ) {
        var (hits, wrong, wanted) = (0, 0, 0)
        for field in fields {
            wanted += field.wanted.count
            for detection in field.detections where detection.score >= threshold {
                switch detection.outcome {
                case .found: hits += 1
                case .wrong: wrong += 1
                case .faint: break
                }
            }
        }
        return (hits, wrong, wanted)
    }

    /// The curve of precision against recall, the surest detections first.
    public static func curve(_ fields: [DetectionMatching]) -> [(threshold: Double, precision: Double, recall: Double)]
    {
        let wanted = fields.reduce(0) { $0 + $1.wanted.count }
        let counted = fields.flatMap(\.detections).filter { $0.outcome != .faint }.sorted { $0.score > $1.score }
        var (hits, seen) = (0, 0)
        return counted.map { detection in
            seen += 1
            if case .found = detection.outcome { hits += 1 }
            return (detection.score, Double(hits) / Double(seen), wanted > 0 ? Double(hits) / Double(wanted) : 0)
        }
    }

    private static func averagePrecision(_ fields: [DetectionMatching]) -> Double {
        let points = curve(fields)
        var (best, area, last) = (0.0, 0.0, points.last?.recall ?? 0)
        for point in points.reversed() {
            area += (last - point.recall) * best
            (best, last) = (max(best, point.precision), point.recall)
        }
        return area + last * best
    }

    /// The score threshold with the highest F1.
    public static func bestThreshold(_ fields: [DetectionMatching]) -> Double? {
        curve(fields).max { left, right in f1(left.precision, left.recall) < f1(right.precision, right.recall) }?
            .threshold
    }

    private static func f1(_ precision: Double, _ recall: Double) -> Double {
        precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
    }
}
