public import ImageProcessing

/// Which detections of a field are which true sources.
public struct DetectionMatching: Sendable {
    /// When a detection is a source.
    public enum Criterion: Sendable, Hashable {
        /// Intersection over union of the segments is at least this.
        case segments(Double)
        /// Intersection over union of the boxes is at least this.
        case boxes(Double)
        /// The centres are at most so many pixels apart.
        case centres(Double)
    }

    /// A detection with its score, and what it is.
    public struct Detection: Sendable {
        public enum Outcome: Sendable, Equatable {
            /// The true source of this index.
            case found(Int)
            /// A true source that is too faint to be asked for: counts for nothing.
            case faint
            case wrong
        }
        public var score: Double
        public var outcome: Outcome
        /// Magnitude as measured, NaN where not known.
        public var magnitude: Double
    }

    public let detections: [Detection]
    /// For each true source that is asked for: its index and the detection that it is, nil if missed.
    public let wanted: [(source: Int, detection: Int?)]

    /// - Parameters:
    ///   - scores: of the detections; the surest is matched first.
    ///   - magnitudes: as measured, or empty.
    ///   - minimumSignificance: true sources below it are not asked for.
    public init(
        _ found: Segmentation, scores: [Double], magnitudes: [Double] = [], truth: DetectionTruth,
        criterion: Criterion, minimumSignificance: Double
    ) {
        let overlap = Overlap(found, truth)
        var partner = [Int?](repeating: nil, count: truth.sources.count)
        var outcomes = [Detection.Outcome](repeating: .wrong, count: found.sources.count)
        let order = found.sources.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }
        for detection in order {
            let candidates = overlap.candidates(detection, found, truth, criterion)
            // A source that is asked for goes before one that is not.
            let best = candidates.filter { partner[$0.source] == nil }.max {
                (truth.sources[$0.source].significance >= minimumSignificance ? 1 : 0, $0.quality)
                    < (truth.sources[$1.source].significance >= minimumSignificance ? 1 : 0, $1.quality)
            }
            if let best {
                partner[best.source] = detection
                outcomes[detection] =
                    truth.sources[best.source].significance >= minimumSignificance ? .found(best.source) : .faint
            } else if overlap.isFaint(detection, found, truth, below: minimumSignificance) {
                outcomes[detection] = .faint
            }
        }
        detections = found.sources.indices.map {
            Detection(
                score: scores[$0], outcome: outcomes[$0], magnitude: magnitudes.isEmpty ? .nan : magnitudes[$0])
        }
        wanted = truth.sources.indices.filter { truth.sources[$0].significance >= minimumSignificance }.map {
            ($0, partner[$0])
        }
    }
}

/// Common pixels of detections and true sources.
private struct Overlap {
    private var common: [[Int: Int]]
    private var trueAreas: [Int]
    private var trueBoxes: [(left: Int, right: Int, bottom: Int, top: Int)]

    init(_ found: Segmentation, _ truth: DetectionTruth) {
        precondition(found.map.count == truth.map.count, "[DetectionMatching] expected maps of one size")
        common = [[Int: Int]](repeating: [:], count: found.sources.count)
        trueAreas = [Int](repeating: 0, count: truth.sources.count)
        trueBoxes = .init(repeating: (Int.max, -1, Int.max, -1), count: truth.sources.count)
        for i in found.map.indices where truth.map[i] > 0 {
            let source = Int(truth.map[i]) - 1
            let (x, y) = (i % truth.width, i / truth.width)
            let box = trueBoxes[source]
            trueAreas[source] += 1
            trueBoxes[source] = (min(box.left, x), max(box.right, x), min(box.bottom, y), max(box.top, y))
            if found.map[i] > 0 { common[Int(found.map[i]) - 1][source, default: 0] += 1 }
        }
    }

    func candidates(
        _ detection: Int, _ found: Segmentation, _ truth: DetectionTruth, _ criterion: DetectionMatching.Criterion
    ) -> [(source: Int, quality: Double)] {
        let own = found.sources[detection]
        switch criterion {
        case .segments(let limit):
            return common[detection].compactMap { source, count in
                let union = own.area + trueAreas[source] - count
                let ratio = Double(count) / Double(union)
                return ratio >= limit ? (source, ratio) : nil
            }
        case .boxes(let limit):
            return truth.sources.indices.compactMap { source in
                let box = trueBoxes[source]
                let width = min(box.right, own.xMaximum) - max(box.left, own.xMinimum) + 1
                let height = min(box.top, own.yMaximum) - max(box.bottom, own.yMinimum) + 1
                guard width > 0, height > 0 else { return nil }
                let ownArea = (own.xMaximum - own.xMinimum + 1) * (own.yMaximum - own.yMinimum + 1)
                let trueArea = (box.right - box.left + 1) * (box.top - box.bottom + 1)
                let ratio = Double(width * height) / Double(ownArea + trueArea - width * height)
                return ratio >= limit ? (source, ratio) : nil
            }
        case .centres(let limit):
            return truth.sources.indices.compactMap { source in
                let (dx, dy) = (truth.sources[source].x - own.x, truth.sources[source].y - own.y)
                let distance = (dx * dx + dy * dy).squareRoot()
                return distance <= limit ? (source, -distance) : nil
            }
        }
    }

    /// Whether a detection that matches nothing lies on sources that are not asked for.
    func isFaint(_ detection: Int, _ found: Segmentation, _ truth: DetectionTruth, below limit: Double) -> Bool {
        let own = found.sources[detection]
        let faint = common[detection].filter { truth.sources[$0.key].significance < limit }.map(\.value).reduce(0, +)
        let bright = common[detection].filter { truth.sources[$0.key].significance >= limit }.map(\.value).reduce(0, +)
        if faint > bright && 4 * faint >= own.area { return true }
        guard bright == 0 else { return false }
        return truth.sources.contains {
            $0.significance < limit && $0.significance > 1 && abs($0.x - own.x) < 2 && abs($0.y - own.y) < 2
        }
    }
}
