import Foundation
import ImageProcessing
import Testing

@Suite struct StarletTests {
    private let side = 128

    private func noise(correlation: Float = 0) -> [Float] {
        var state: UInt64 = 3
        func uniform() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (Double(state >> 11) + 0.5) / Double(1 << 53)
        }
        let white = (0..<(side + 1) * (side + 1)).map { _ in
            Float((-2 * log(uniform())).squareRoot() * cos(2 * Double.pi * uniform()))
        }
        let power = 1 - 2 * correlation * (1 - correlation)
        return (0..<side * side).map { i in
            let w = i / side * (side + 1) + i % side
            let upper = white[w] * (1 - correlation) + white[w + 1] * correlation
            let lower = white[w + side + 1] * (1 - correlation) + white[w + side + 2] * correlation
            return (upper * (1 - correlation) + lower * correlation) / power
        }
    }

    private func deviation(_ values: [Float]) -> Float {
        let mean = values.reduce(0, +) / Float(values.count)
        return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(values.count)).squareRoot()
    }

    @Test func detailsAddUpToThePlane() {
        let plane = (0..<37 * 21).map { Float(($0 * 7919) % 101) }
        let (details, rest) = StarletTransform.details(plane, width: 37, height: 21)
        #expect(details.count == StarletTransform.scales)
        for i in plane.indices { #expect(abs(details.reduce(rest[i]) { $0 + $1[i] } - plane[i]) < 1e-3) }
    }

    /// Table 1 of Starck and Murtagh 1998 (PASP 110, 193): the noise of the scales for white noise.
    @Test func whiteNoiseHasThePublishedDeviations() {
        let levels = StarletNoise(filteredBy: nil, correlation: 0)
        for (got, expected) in zip(levels.deviations, [0.890, 0.201, 0.086, 0.042, 0.021] as [Float]) {
            #expect(abs(got - expected) < 0.0015)
        }
        #expect(abs(levels.total - 1) < 1e-6)
    }

    @Test(arguments: [0, 0.15, 0.35, 0.5] as [Float])
    func correlatedNoiseIsRecognised(share: Float) {
        let plane = noise(correlation: share)
        let (ones, all) = ([Float](repeating: 1, count: plane.count), [Bool](repeating: true, count: plane.count))
        let found = StarletNoise.correlation(of: plane, noise: ones, valid: all, width: side, height: side)
        #expect(abs(found - share) < 0.06, "found \(found)")
        let levels = StarletNoise(filteredBy: nil, correlation: share)
        let details = StarletTransform.details(plane, width: side, height: side).details
        for scale in 0..<3 { #expect(abs(deviation(details[scale]) / levels.deviations[scale] - 1) < 0.12) }
    }

    /// Noise alone goes, and light far above it stays as it was seen.
    @Test func shrinkageRemovesNoiseAndKeepsLight() {
        let noise = noise()
        let star = (0..<side * side).map { i in
            let (dx, dy) = (Float(i % side - 64), Float(i / side - 64))
            return 500 * exp(-(dx * dx + dy * dy) / 8)
        }
        let seen = zip(noise, star).map { $0 + $1 }
        let shrunk = StarletShrinkage(
            seen, noise: [Float](repeating: 1, count: seen.count),
            levels: StarletNoise(filteredBy: nil, correlation: 0), width: side, height: side)
        let sky = star.indices.filter { star[$0] < 1e-6 }
        #expect(deviation(sky.map { shrunk.estimate[$0] }) < 0.15)
        let inside = star.indices.filter { star[$0] > 1 }
        let (got, seenLight) = (inside.reduce(0) { $0 + shrunk.estimate[$1] }, inside.reduce(0) { $0 + seen[$1] })
        #expect(abs(got / seenLight - 1) < 0.003)
        for i in inside { #expect(abs(shrunk.estimate[i] - seen[i]) < 3.5) }
    }
}
