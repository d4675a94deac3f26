public import Inference

/// Completeness and purity against a quantity of the sources.
public enum DetectionCurves {
    /// A share in each bin: centres, shares (NaN without a source), and how many sources there are.
    public struct Curve: Sendable, Codable, Equatable {
        public var centres: [Double]
        public var shares: [Double]
        public var counts: [Int]
    }

    /// The share of the true sources in each bin that were found.
    ///
    /// - Parameters:
    ///   - edges: of the bins, rising.
    ///   - value: of a true source, such as its magnitude.
    public static func completeness(
        _ fields: [(matching: DetectionMatching, truth: DetectionTruth)], edges: [Double], threshold: Double,
        value: (DetectionTruth.Source) -> Double
    ) -> Curve {
        var pairs: [(Double, Bool)] = []
        for (matching, truth) in fields {
            for (source, detection) in matching.wanted {
                let isFound = detection.map { matching.detections[$0].score >= threshold } ?? false
                pairs.append((value(truth.sources[source]), isFound))
            }
        }
        return curve(pairs, edges)
    }

    /// The share of the detections in each bin of measured magnitude that are true sources, of any faintness.
    public static func purity(_ fields: [DetectionMatching], edges: [Double], threshold: Double) -> Curve {
        curve(
            fields.flatMap(\.detections).filter { $0.score >= threshold }.map { ($0.magnitude, $0.outcome != .wrong) },
            edges)
    }

    private static func curve(_ pairs: [(value: Double, isGood: Bool)], _ edges: [Double]) -> Curve {
        let bins = zip(edges, edges.dropFirst()).map { low, high in
            pairs.filter { $0.value >= low && $0.value < high }
        }
        return Curve(
            centres: zip(edges, edges.dropFirst()).map { ($0 + $1) / 2 },
            shares: bins.map { $0.isEmpty ? .nan : Double($0.filter(\.isGood).count) / Double($0.count) },
            counts: bins.map(\.count))
    }
}
