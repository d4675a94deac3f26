import Datasets
import ImageProcessing
import Outliers
import Training

/// What simple properties of a stamp a score follows: rank correlations among the inliers. A score that follows brightness finds
/// bright galaxies, whatever else is unusual.
struct ScoreDrivers {
    /// Names of the properties.
    static let names = ["brightness", "peak", "border light", "size", "elongation", "noise"]

    /// Values of the properties, one array a property.
    private let properties: [[Double]]

    /// - Parameter raw: stamps of ``AutoencoderStamps/raw(crop:)``.
    init(_ raw: VectorSet) {
        let side = AutoencoderStamps.size
        let plane = side * side
        let channel = AutoencoderStamps.spectrum.count / 2
        let measured = (0..<raw.count).map { row -> [Double] in
            let start = row * raw.width + channel * plane
            let stamp = Array(raw.values[start..<(start + plane)])
            return Self.measure(stamp, side: side)
        }
        properties = Self.names.indices.map { property in measured.map { $0[property] } }
    }

    /// Spearman's correlation of a score with each property.
    func correlations(_ scores: [Double]) -> [Double] {
        let ranks = Self.ranks(scores)
        return properties.map { Self.correlation(Self.ranks($0), ranks) }
    }

    private static func measure(_ stamp: [Float], side: Int) -> [Double] {
        let sky = stamp.sorted()[stamp.count / 4]
        var (light, x1, y1) = (0.0, 0.0, 0.0)
        var (xx, yy, xy, border) = (0.0, 0.0, 0.0, 0.0)
        let middle = Double(side - 1) / 2
        for y in 0..<side {
            for x in 0..<side {
                let value = Double(max(0, stamp[y * side + x] - sky))
                let (u, v) = (Double(x) - middle, Double(y) - middle)
                light += value
                x1 += value * u
                y1 += value * v
                xx += value * u * u
                yy += value * v * v
                xy += value * u * v
                if max(abs(u), abs(v)) > 0.75 * middle { border += value }
            }
        }
        let total = max(light, 1e-9)
        let (a, b, c) = (
            xx / total - x1 * x1 / (total * total), yy / total - y1 * y1 / (total * total),
            xy / total - x1 * y1 / (total * total)
        )
        let root = ((a - b) * (a - b) / 4 + c * c).squareRoot()
        let (large, small) = ((a + b) / 2 + root, max((a + b) / 2 - root, 1e-9))
        return [
            light, Double(stamp.max() ?? 0), border, large.squareRoot(), (large / small).squareRoot(),
            Double(NoiseWeights.deviation(stamp, side: side)),
        ]
    }

    /// Places in the order of the values; ties in the order of the objects.
    private static func ranks(_ values: [Double]) -> [Double] {
        var ranks = [Double](repeating: 0, count: values.count)
        for (rank, index) in values.indices.sorted(by: { (values[$0], $0) < (values[$1], $1) }).enumerated() {
            ranks[index] = Double(rank)
        }
        return ranks
    }

    private static func correlation(_ a: [Double], _ b: [Double]) -> Double {
        let count = Double(max(a.count, 1))
        let (meanA, meanB) = (a.reduce(0, +) / count, b.reduce(0, +) / count)
        var (ab, aa, bb) = (0.0, 0.0, 0.0)
        for (x, y) in zip(a, b) {
            ab += (x - meanA) * (y - meanB)
            aa += (x - meanA) * (x - meanA)
            bb += (y - meanB) * (y - meanB)
        }
        return aa > 0 && bb > 0 ? ab / (aa * bb).squareRoot() : 0
    }
}
