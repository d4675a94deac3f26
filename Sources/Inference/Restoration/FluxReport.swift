import ImageProcessing

/// How much of the observed flux a restored band holds.
public struct FluxReport: Sendable, Equatable {
    /// Radius of the apertures, pixels.
    public static let apertureRadius = 10

    /// Flux of all observed pixels, restored over observed; NaN where it is not above five times its noise.
    public var total: Double
    /// Median over the apertures, restored over observed; NaN without apertures.
    public var aperture: Double
    /// Number of apertures: bright peaks away from each other, from the edge and from masked pixels.
    public var apertures: Int

    /// - Parameters:
    ///   - observed, restored: without sky, in σ; width × height.
    ///   - valid: pixels that count.
    init(observed: [Float], restored: [Float], valid: [Bool], width: Int, height: Int) {
        var (before, after, count) = (0.0, 0.0, 0.0)
        for i in valid.indices where valid[i] {
            before += Double(observed[i])
            after += Double(restored[i])
            count += 1
        }
        total = before > 5 * count.squareRoot() ? after / before : .nan

        let radius = Self.apertureRadius
        var ratios: [Double] = []
        var taken: [(x: Int, y: Int)] = []
        var peaks: [(value: Float, index: Int)] = []
        for y in stride(from: radius, to: height - radius, by: 1) {
            for x in stride(from: radius, to: width - radius, by: 1) {
                let (i, value) = (y * width + x, restored[y * width + x])
                if value > 5, value >= restored[i - 1], value > restored[i + 1], value >= restored[i - width],
                    value > restored[i + width]
                {
                    peaks.append((value, i))
                }
            }
        }
        for peak in peaks.sorted(by: { $0.value > $1.value }) where ratios.count < 100 {
            let (x, y) = (peak.index % width, peak.index / width)
            if taken.contains(where: { abs($0.x - x) < 2 * radius && abs($0.y - y) < 2 * radius }) { continue }
            taken.append((x, y))
            if taken.count > 400 { break }
            var (before, after, pixels, complete) = (0.0, 0.0, 0.0, true)
            for dy in -radius...radius {
                for dx in -radius...radius where dx * dx + dy * dy <= radius * radius {
                    let i = (y + dy) * width + x + dx
                    if !valid[i] { complete = false }
                    before += Double(observed[i])
                    after += Double(restored[i])
                    pixels += 1
                }
            }
            if complete && before > 20 * pixels.squareRoot() { ratios.append(after / before) }
        }
        apertures = ratios.count
        aperture = ratios.isEmpty ? .nan : ratios.sorted()[ratios.count / 2]
    }
}
