import Foundation

/// How quality grows with the number of answers: q(n) = limit − gain · n^−exponent.
public struct LearningCurve: Sendable, Equatable {
    public var limit: Double
    public var gain: Double
    public var exponent: Double

    /// The least-squares curve through points, its limit at most 1.
    ///
    /// - Returns: nil for fewer than three different numbers of answers, or where quality does not grow.
    public init?(answers: [Double], quality: [Double]) {
        precondition(answers.count == quality.count, "[LearningCurve] expected a quality a number of answers")
        let points = zip(answers, quality).filter { $0 > 0 && $1.isFinite }
        guard Set(points.map(\.0)).count >= 3 else { return nil }
        var best: (curve: (limit: Double, gain: Double, exponent: Double), error: Double)?
        for step in 1...40 {
            let exponent = 0.05 * Double(step)
            let x = points.map { pow($0.0, -exponent) }
            let y = points.map(\.1)
            let (meanX, meanY) = (x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count))
            let spread = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
            var gain = -zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) } / spread
            var limit = meanY + gain * meanX
            if limit > 1 {
                limit = 1
                gain = zip(x, y).reduce(0) { $0 + $1.0 * (1 - $1.1) } / x.reduce(0) { $0 + $1 * $1 }
            }
            guard gain > 0 else { continue }
            let error = zip(x, y).reduce(0) { sum, point in
                let difference = limit - gain * point.0 - point.1
                return sum + difference * difference
            }
            if best == nil || error < best!.error { best = ((limit, gain, exponent), error) }
        }
        guard let best else { return nil }
        (limit, gain, exponent) = best.curve
    }

    public func quality(_ answers: Double) -> Double { limit - gain * pow(answers, -exponent) }

    /// Answers in all that a goal needs; nil for a goal that the curve does not reach.
    public func answers(for goal: Double) -> Double? {
        guard goal < limit else { return nil }
        return pow(gain / (limit - goal), 1 / exponent)
    }
}

/// Whether more answers are worth the time: after three refits in a row that changed next to nothing, they are not.
public struct StopRule: Sendable, Equatable {
    /// Refits to look back at.
    public var patience = 3
    /// The best quality of the last refits may exceed the best before them by this much.
    public var gain = 0.005
    /// Share of the objects whose answer may change in each of them.
    public var flipped = 0.01

    public init() {}

    /// - Parameters:
    ///   - quality: of each refit so far, the oldest first.
    ///   - flipped: share of the objects whose answer each of them changed.
    public func isMet(quality: [Double], flipped: [Double]) -> Bool {
        precondition(quality.count == flipped.count, "[StopRule] expected a share a refit")
        guard quality.count > patience else { return false }
        let before = quality.dropLast(patience).filter(\.isFinite).max() ?? 0
        let last = quality.suffix(patience)
        return last.allSatisfy(\.isFinite) && last.max()! - before < gain
            && flipped.suffix(patience).allSatisfy { $0 <= self.flipped }
    }
}
