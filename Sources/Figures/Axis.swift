import Foundation

/// One axis of a plot: limits, scale and the numbers written along it.
struct Axis {
    let lower: Double
    let upper: Double
    let isLogarithmic: Bool

    /// An axis that holds all finite values (positive ones for a logarithmic axis), with a little room.
    init(values: [Double], isLogarithmic: Bool = false, from floor: Double? = nil) {
        self.isLogarithmic = isLogarithmic
        let usable = values.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
        var lower = floor ?? usable.min() ?? (isLogarithmic ? 1 : 0)
        var upper = usable.max() ?? lower + 1
        if isLogarithmic {
            if upper <= lower { (lower, upper) = (lower / 2, lower * 2) }
            let room = pow(upper / lower, 0.04)
            (self.lower, self.upper) = (floor ?? lower / room, upper * room)
        } else {
            if upper <= lower { upper = lower + max(1, abs(lower)) }
            let room = 0.04 * (upper - lower)
            (self.lower, self.upper) = (floor ?? lower - room, upper + room)
        }
    }

    /// An axis with given ends.
    init(_ range: ClosedRange<Double>, isLogarithmic: Bool = false) {
        (lower, upper) = (range.lowerBound, range.upperBound)
        self.isLogarithmic = isLogarithmic
    }

    /// 0 at the lower end, 1 at the upper one.
    func position(_ value: Double) -> Double {
        isLogarithmic ? log(value / lower) / log(upper / lower) : (value - lower) / (upper - lower)
    }

    /// About `count` round numbers, with their texts.
    func ticks(_ count: Int = 6) -> [(value: Double, text: String)] {
        if isLogarithmic {
            let decades = Int(log10(lower).rounded(.down))...Int(log10(upper).rounded(.up))
            for multiples in [[1.0], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8]] {
                let values = decades.flatMap { decade in multiples.map { $0 * pow(10, Double(decade)) } }
                    .filter { (lower...upper).contains($0) }
                if values.count >= 3 {
                    let every = max(1, values.count / (count + 2))
                    return stride(from: 0, to: values.count, by: every).map { (values[$0], Self.text(values[$0])) }
                }
            }
        }
        let rough = (upper - lower) / Double(count)
        let decade = pow(10, log10(rough).rounded(.down))
        let step = [1, 2, 2.5, 5, 10].map { $0 * decade }.first { $0 >= rough * 0.999 }!
        let first = (lower / step).rounded(.up)
        let last = (upper / step).rounded(.down)
        guard last >= first else { return [] }
        return (0...Int(last - first)).map { index in
            let value = (first + Double(index)) * step
            return (value, Self.text(abs(value) < step * 1e-9 ? 0 : value))
        }
    }

    static func text(_ value: Double) -> String {
        let magnitude = abs(value)
        if magnitude != 0, magnitude < 1e-4 || magnitude >= 1e7 { return String(format: "%.2g", value) }
        return String(format: "%.6g", value)
    }
}
