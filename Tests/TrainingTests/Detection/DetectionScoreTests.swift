import ImageProcessing
import Inference
import Testing
import Training

@Suite struct DetectionScoreTests {
    /// A field of 40 × 10 with square segments of 4 × 4 at these columns.
    private static func map(_ columns: [Int]) -> [Int32] {
        var map = [Int32](repeating: 0, count: 400)
        for (index, column) in columns.enumerated() {
            for y in 3..<7 { for x in column..<(column + 4) { map[y * 40 + x] = Int32(index + 1) } }
        }
        return map
    }

    private static func found(_ columns: [Int]) -> Segmentation {
        // Evenly bright pixels: the barycentre is the middle of the square.
        let ones = [Float](repeating: 1, count: 400)
        let image = DetectionImage([
            BandPlane(
                band: "r", width: 40, height: 10, pixels: ones, noise: ones, mask: [UInt8](repeating: 0, count: 400))
        ])
        // A square that another one covers in part keeps its own box and area: each is measured alone.
        let sources = columns.map { SegmentMoments.sources(of: map([$0]), count: 1, in: image)[0]! }
        return Segmentation(sources: sources, map: map(columns), width: 40, height: 10)
    }

    private static let truth = DetectionTruth(
        width: 40, height: 10,
        sources: zip([2, 12, 22, 32], [10.0, 10, 10, 3]).map {
            .init(x: Double($0) + 1.5, y: 4.5, isStar: false, significance: $1, magnitude: 20)
        }, map: map([2, 12, 22, 32]))

    private static func matching(_ columns: [Int], _ scores: [Double], _ criterion: DetectionMatching.Criterion)
        -> DetectionMatching
    {
        DetectionMatching(
            found(columns), scores: scores, truth: truth, criterion: criterion, minimumSignificance: 5)
    }

    @Test("Found, missed, wrong, and too faint to count")
    func outcomes() {
        // On the first source; on the second, moved by 1 (IoU 12/20); between sources; on the faint one.
        let columns = [2, 13, 17, 32]
        let matching = Self.matching(columns, [0.9, 0.8, 0.7, 0.6], .segments(0.5))
        #expect(matching.detections.map(\.outcome) == [.found(0), .found(1), .wrong, .faint])
        #expect(matching.wanted.map(\.detection) == [0, 1, nil])
        let strict = Self.matching(columns, [0.9, 0.8, 0.7, 0.6], .segments(0.7))
        #expect(strict.detections.map(\.outcome) == [.found(0), .wrong, .wrong, .faint])
        let near = Self.matching(columns, [0.9, 0.8, 0.7, 0.6], .centres(0.5))
        #expect(near.detections[1].outcome == .wrong)
        #expect(Self.matching(columns, [0.9, 0.8, 0.7, 0.6], .boxes(0.5)).detections[1].outcome == .found(1))
        let scores = DetectionScores([matching])
        #expect(scores.precision.value == 2.0 / 3 && scores.recall.value == 2.0 / 3)
        // Recall 1/3 and 2/3 at precision 1, and nothing beyond.
        #expect(abs(scores.averagePrecision.value - 2.0 / 3) < 1e-12)
        #expect(DetectionScores.bestThreshold([matching]) == 0.8)
    }

    @Test("One source is found once: the surer detection is it")
    func doubles() {
        let matching = Self.matching([2, 3], [0.5, 0.9], .centres(2))
        #expect(matching.detections.map(\.outcome) == [.wrong, .found(0)])
        let scores = DetectionScores([matching])
        #expect(scores.precision.value == 0.5 && abs(scores.averagePrecision.value - 1.0 / 3) < 1e-12)
    }

    @Test("Average precision falls where wrong detections are surer")
    func averagePrecision() {
        let late = Self.matching([2, 12, 17], [0.9, 0.8, 0.1], .segments(0.5))
        let early = Self.matching([2, 12, 17], [0.2, 0.1, 0.9], .segments(0.5))
        #expect(abs(DetectionScores([late]).averagePrecision.value - 2.0 / 3) < 1e-12)
        // Precision 1/2 and 2/3; the better one counts for both steps of recall.
        #expect(abs(DetectionScores([early]).averagePrecision.value - 2.0 / 3 * 2.0 / 3) < 1e-12)
    }

    @Test("Intervals of fields that all score the same have no width")
    func intervals() {
        let matching = Self.matching([2, 12, 17], [0.9, 0.8, 0.7], .segments(0.5))
        let scores = DetectionScores([matching, matching, matching])
        #expect(scores.recall.lower == scores.recall.value && scores.recall.upper == scores.recall.value)
        let empty = Self.matching([], [], .segments(0.5))
        let mixed = DetectionScores([matching, matching, empty, empty])
        #expect(mixed.recall.lower < mixed.recall.value && mixed.recall.value < mixed.recall.upper)
    }

    @Test("Completeness and purity in bins")
    func curves() {
        let matching = Self.matching([2, 13, 17, 32], [0.9, 0.8, 0.7, 0.6], .segments(0.5))
        let curve = DetectionCurves.completeness(
            [(matching, Self.truth)], edges: [19, 21, 23], threshold: 0.85
        ) { $0.magnitude }
        #expect(curve.centres == [20, 22] && curve.counts == [3, 0])
        #expect(curve.shares[0] == 1.0 / 3 && curve.shares[1].isNaN)
    }
}
