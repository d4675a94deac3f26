import AstroIO

/// Resizes by separable weights: the exact area average where a side shrinks, Catmull-Rom cubic interpolation where it grows.
///
/// Pixels are areas: the outer edges of the first and last pixel of the result are those of the source. Surface brightness
/// is kept (a constant image stays constant); `conservingFlux` multiplies by the ratio of the pixel areas, so that sums
/// stay.
public struct Resampler: Sendable {
    /// The source pixels that make up one result pixel, and their weights, which add up to 1.
    struct Span: Sendable {
        var first: Int
        var weights: [Float]
    }

    let columns: [Span]
    let rows: [Span]
    let sourceWidth: Int
    let sourceHeight: Int
    public var width: Int { columns.count }
    public var height: Int { rows.count }

    public init(from source: (width: Int, height: Int), to result: (width: Int, height: Int)) {
        precondition(
            source.width > 0 && source.height > 0 && result.width > 0 && result.height > 0,
            "[Resampler] expected sizes, got \(source) and \(result)")
        sourceWidth = source.width
        sourceHeight = source.height
        columns = Self.spans(from: source.width, to: result.width)
        rows = Self.spans(from: source.height, to: result.height)
    }

    static func spans(from source: Int, to result: Int) -> [Span] {
        let step = Double(source) / Double(result)
        return (0..<result).map { index in
            if result <= source {
                let (begin, end) = (Double(index) * step, Double(index + 1) * step)
                let first = Int(begin)
                let last = min(source, Int(end.rounded(.up)))
                let weights = (first..<last).map { Float((min(end, Double($0 + 1)) - max(begin, Double($0))) / step) }
                return Span(first: first, weights: weights)
            }
            // Positions of pixel centres; the edge pixels are repeated outside.
            let position = (Double(index) + 0.5) * step - 0.5
            let base = Int(position.rounded(.down))
            var merged: [Int: Double] = [:]
            for offset in -1...2 {
                let at = min(max(base + offset, 0), source - 1)
                merged[at, default: 0] += catmullRom(position - Double(base + offset))
            }
            let first = merged.keys.min()!
            let last = merged.keys.max()!
            return Span(first: first, weights: (first...last).map { Float(merged[$0] ?? 0) })
        }
    }

    /// The cubic kernel with a = −½ (Keys 1981).
    private static func catmullRom(_ x: Double) -> Double {
        let x = abs(x)
        if x < 1 { return 1.5 * x * x * x - 2.5 * x * x + 1 }
        if x < 2 { return -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 }
        return 0
    }

    /// Resizes a plane of numbers.
    ///
    /// - Parameters:
    ///   - weights: how far each source pixel counts (0 for a masked one); nil counts all alike.
    /// - Returns: the resized plane, and for each of its pixels the share of its area that counted. A pixel without any is 0.
    public func resize(
        _ plane: some RandomAccessCollection<Float>, weights: [Float]? = nil
    ) -> (values: [Float], coverage: [Float]?) {
        precondition(
            plane.count == sourceWidth * sourceHeight,
            "[resize] expected \(sourceHeight) × \(sourceWidth) numbers, got \(plane.count)")
        guard let weights else { return (apply(Array(plane), channels: 1), nil) }
        let weighted = zip(plane, weights).map { $1 > 0 && $0.isFinite ? $0 * $1 : 0 }
        let sums = apply(weighted, channels: 1)
        let coverage = apply(zip(plane, weights).map { $0.isFinite ? $1 : 0 }, channels: 1)
        return (zip(sums, coverage).map { $1 > 1e-3 ? $0 / $1 : 0 }, coverage)
    }

    /// Rows of interleaved channels: first along x, then along y.
    func apply(_ source: [Float], channels: Int) -> [Float] {
        var narrow = [Float](repeating: 0, count: sourceHeight * width * channels)
        source.withUnsafeBufferPointer { source in
            narrow.withUnsafeMutableBufferPointer { narrow in
                for y in 0..<sourceHeight {
                    let line = y * sourceWidth * channels
                    for (x, span) in columns.enumerated() {
                        let target = (y * width + x) * channels
                        for (k, weight) in span.weights.enumerated() {
                            let at = line + (span.first + k) * channels
                            for c in 0..<channels { narrow[target + c] += weight * source[at + c] }
                        }
                    }
                }
            }
        }
        let rowLength = width * channels
        var result = [Float](repeating: 0, count: height * rowLength)
        narrow.withUnsafeBufferPointer { narrow in
            result.withUnsafeMutableBufferPointer { result in
                for (y, span) in rows.enumerated() {
                    for (k, weight) in span.weights.enumerated() {
                        let at = (span.first + k) * rowLength
                        for x in 0..<rowLength { result[y * rowLength + x] += weight * narrow[at + x] }
                    }
                }
            }
        }
        return result
    }

    /// Resizes an image: pixels, mask (a pixel is masked where less than half of it counted) and WCS. The variance of an
    /// average over n pixels is their mean variance divided by n.
    public static func resized(
        _ image: Image, width: Int, height: Int, conservingFlux: Bool = false
    ) -> Image {
        let resampler = Resampler(from: (image.width, image.height), to: (width, height))
        let area = Float(image.planeSize) / Float(width * height)
        var pixels: [Float] = []
        var mask: [PixelMask] = []
        var variance: [Float]? = image.variance == nil ? nil : []
        for band in image.bands.indices {
            let range = (band * image.planeSize)..<((band + 1) * image.planeSize)
            let plane = image.pixels[range]
            let usable = image.mask.map { $0[range].map { $0.isEmpty || $0 == .interpolated ? Float(1) : 0 } }
            let damaged = usable != nil || plane.contains { !$0.isFinite }
            let (values, coverage) = resampler.resize(
                plane, weights: damaged ? usable ?? [Float](repeating: 1, count: image.planeSize) : nil)
            pixels += conservingFlux ? values.map { $0 * area } : values
            if let coverage {
                mask += coverage.map { $0 < 0.5 ? .noData : [] }
            } else {
                mask += [PixelMask](repeating: [], count: width * height)
            }
            if let own = image.variance {
                let finite = own[range].map { $0.isFinite ? Float(1) : 0 }
                let mean = resampler.resize(own[range], weights: finite)
                let factor = (conservingFlux ? area * area : 1) / max(1, area)
                variance! += zip(mean.values, mean.coverage!).map { $1 > 1e-3 ? $0 * factor : .infinity }
            }
        }
        var result = Image(
            bands: image.bands, width: width, height: height, pixels: pixels,
            mask: mask.allSatisfy(\.isEmpty) ? nil : mask, variance: variance, rowOrder: image.rowOrder,
            wcs: image.wcs?.resized(
                factorX: Double(width) / Double(image.width), factorY: Double(height) / Double(image.height)),
            header: image.header, unit: image.unit, sampleMaximum: image.sampleMaximum, provenance: image.provenance)
        result.provenance.history.append("resize to \(width) × \(height)")
        return result
    }
}
