import Foundation

/// How pixel values become brightness on a screen.
public struct Stretch: Sendable, Equatable {
    /// The curve between the limits, from 0 … 1 to 0 … 1.
    public enum Curve: Sendable, Equatable {
        case linear
        case sqrt
        /// log(a·x + 1) / log(a + 1), as ds9 and fitsbolt have it.
        case log(a: Float = 1000)
        /// asinh(x / a) / asinh(1 / a), as astropy's AsinhStretch has it.
        case asinh(a: Float = 0.1)
    }

    /// Which values become black and white.
    public enum Limits: Sendable, Equatable {
        case minimumMaximum
        /// The middle part of all values, in percent: 99.5 leaves 0.25 % on each side.
        case percentile(Float)
        /// IRAF's zscale.
        case zscale(contrast: Float = 0.25)
        case explicit(black: Float, white: Float)
    }

    public var curve: Curve
    public var limits: Limits

    public init(_ curve: Curve = .linear, limits: Limits = .minimumMaximum) {
        self.curve = curve
        self.limits = limits
    }

    /// Brightness in 0 … 1 of every value; values that are not finite become 0.
    public func callAsFunction(_ values: [Float]) -> [Float] {
        guard let (black, white) = limits.of(values) else { return [Float](repeating: 0, count: values.count) }
        let range = white - black
        return values.map { value in
            guard value.isFinite else { return 0 }
            let x = range > 0 ? min(max((value - black) / range, 0), 1) : (value > black ? 1 : 0)
            return curve(x)
        }
    }
}

extension Stretch.Curve {
    /// The curve at x in 0 … 1.
    public func callAsFunction(_ x: Float) -> Float {
        switch self {
        case .linear: x
        case .sqrt: x.squareRoot()
        case .log(let a): log1p(a * x) / log1p(a)
        case .asinh(let a): Foundation.asinh(x / a) / Foundation.asinh(1 / a)
        }
    }
}

extension Stretch.Limits {
    /// The limits for these values; nil when none is finite.
    public func of(_ values: [Float]) -> (black: Float, white: Float)? {
        let finite = values.filter(\.isFinite)
        guard !finite.isEmpty else { return nil }
        switch self {
        case .minimumMaximum: return (finite.min()!, finite.max()!)
        case .explicit(let black, let white): return (black, white)
        case .percentile(let part):
            let sorted = finite.sorted()
            let tail = (100 - part) / 200
            return (Self.quantile(sorted, tail), Self.quantile(sorted, 1 - tail))
        case .zscale(let contrast): return Self.zscale(finite, contrast: contrast)
        }
    }

    /// Linear interpolation between order statistics, as numpy's default.
    private static func quantile(_ sorted: [Float], _ q: Float) -> Float {
        let position = Double(q) * Double(sorted.count - 1)
        let lower = Int(position)
        let fraction = Float(position - Double(lower))
        return lower + 1 < sorted.count ? sorted[lower] + (sorted[lower + 1] - sorted[lower]) * fraction : sorted[lower]
    }

    /// The algorithm of IRAF's display task with the settings of astropy's ZScaleInterval: at most 1000 samples, a line
    /// through the sorted samples, outliers beyond 2.5 σ rejected up to five times.
    private static func zscale(_ values: [Float], contrast: Float) -> (Float, Float) {
        let stride = Int(max(1, Double(values.count) / 1000))
        let samples = Swift.stride(from: 0, to: values.count, by: stride).prefix(1000).map { values[$0] }.sorted()
        let count = samples.count
        let (minimum, maximum) = (samples[0], samples[count - 1])
        let fewest = max(5, count / 2)
        var good = count
        var last = count + 1
        var bad = [Bool](repeating: false, count: count)
        let grow = max(1, Int(Double(count) * 0.01))
        var slope = 0.0
        for _ in 0..<5 {
            if good >= last || good < fewest { break }
            var (n, sx, sy, sxx, sxy) = (0.0, 0.0, 0.0, 0.0, 0.0)
            for i in 0..<count where !bad[i] {
                let (x, y) = (Double(i), Double(samples[i]))
                n += 1
                sx += x
                sy += y
                sxx += x * x
                sxy += x * y
            }
            let determinant = n * sxx - sx * sx
            slope = determinant != 0 ? (n * sxy - sx * sy) / determinant : 0
            let intercept = (sy - slope * sx) / n
            let residuals = (0..<count).map { Double(samples[$0]) - (intercept + slope * Double($0)) }
            var (sum, squares) = (0.0, 0.0)
            for i in 0..<count where !bad[i] {
                sum += residuals[i]
                squares += residuals[i] * residuals[i]
            }
            let deviation = max(0, squares / n - (sum / n) * (sum / n)).squareRoot()
            let outside = (0..<count).map { bad[$0] || abs(residuals[$0]) > 2.5 * deviation }
            // A rejected sample takes its neighbours along.
            bad = (0..<count).map { i in
                outside[max(0, i - grow / 2)...min(count - 1, i + (grow - 1) / 2)].contains(true)
            }
            last = good
            good = bad.count { !$0 }
        }
        guard good >= fewest else { return (minimum, maximum) }
        let centre = (count - 1) / 2
        let median = count % 2 == 1 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2
        let scaled = Float(contrast > 0 ? slope / Double(contrast) : slope)
        return (
            max(minimum, median - Float(centre - 1) * scaled), min(maximum, median + Float(count - centre) * scaled)
        )
    }
}
