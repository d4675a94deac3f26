import Tensors

/// A way to order the queue.
public enum Strategy: String, Sendable, CaseIterable {
    case outliers
    case entropy, margin, bald
    case diversity
    /// By the interest that earlier answers let expect, together with the outlier score.
    case relevance
    /// A control sample: what is measured on it holds for all objects.
    case random
}

/// Strategies with the share that each has of the queue.
///
///     let mix = try StrategyMix("bald=0.5,diversity=0.3,random=0.2")
///     let order = mix.interleave(rankings, count: 1000, rows: rows, seed: 1)
public struct StrategyMix: Sendable, Equatable, CustomStringConvertible {
    /// Shares sum to 1.
    public let shares: [(strategy: Strategy, share: Double)]

    /// For a task of classes.
    public static let standard = StrategyMix([(.margin, 0.8), (.random, 0.2)])

    init(_ shares: [(strategy: Strategy, share: Double)]) {
        let sum = shares.reduce(0) { $0 + $1.share }
        self.shares = shares.map { ($0.strategy, $0.share / sum) }
    }

    /// One strategy, `mix`, or shares such as `bald=0.5,random=0.5`, which are scaled to sum to 1.
    ///
    /// - Throws: ``ActiveLearningError`` that names the strategies there are.
    public init(_ text: String) throws(ActiveLearningError) {
        if text == "mix" {
            self = .standard
            return
        }
        var shares: [(strategy: Strategy, share: Double)] = []
        for part in text.split(separator: ",") {
            let sides = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard let name = sides.first, let strategy = Strategy(rawValue: name) else {
                throw ActiveLearningError(
                    .configuration,
                    "there is no strategy '\(part)'; there are mix, \(Strategy.allCases.map(\.rawValue).joined(separator: ", "))"
                )
            }
            let share = sides.count > 1 ? Double(sides[1]) : 1
            guard let share, share > 0, share.isFinite, !shares.contains(where: { $0.strategy == strategy }) else {
                throw ActiveLearningError(
                    .configuration, "'\(part)': expected each strategy once, with a share above 0")
            }
            shares.append((strategy, share))
        }
        guard !shares.isEmpty else { throw ActiveLearningError(.configuration, "no strategy is named") }
        self.init(shares)
    }

    public var description: String { shares.map { "\($0.strategy.rawValue)=\($0.share)" }.joined(separator: ",") }

    public static func == (left: StrategyMix, right: StrategyMix) -> Bool { left.description == right.description }

    /// One order from those of the strategies: each place goes to the strategy that is farthest behind its share.
    ///
    /// The random control sample is drawn first and from all rows, so that it stays a random sample whatever the others choose;
    /// objects in it carry `random` even where another strategy would have chosen them too.
    ///
    /// - Parameters:
    ///   - rankings: rows by falling preference for each strategy but `random`; one without is left out.
    ///   - count: places to fill.
    ///   - rows: all rows that may be shown.
    public func interleave(
        _ rankings: [Strategy: [Int]], count: Int, rows: [Int], seed: UInt64
    ) -> [(row: Int, strategy: Strategy)] {
        let used = shares.filter { $0.strategy == .random || !(rankings[$0.strategy] ?? []).isEmpty }
        let total = used.reduce(0) { $0 + $1.share }
        guard total > 0 else { return [] }
        let count = min(count, rows.count)
        var random = RandomNumbers(seed: seed, stream: 0x51EE)
        let permutation = random.permutation(rows.count).map { rows[$0] }
        let share = used.first { $0.strategy == .random }?.share ?? 0
        let control = Array(permutation.prefix(Int((Double(count) * share / total).rounded(.up))))
        var taken = Set(control)
        var sources: [Strategy: [Int]] = rankings
        sources[.random] = control
        var places: [Strategy: Int] = [:]
        var given: [Strategy: Int] = [:]
        var exhausted: Set<Strategy> = []
        var result: [(row: Int, strategy: Strategy)] = []
        while result.count < count, exhausted.count < used.count {
            let open = used.filter { !exhausted.contains($0.strategy) }
            let next = open.max {
                Double(result.count + 1) * $0.share / total - Double(given[$0.strategy, default: 0])
                    < Double(result.count + 1) * $1.share / total - Double(given[$1.strategy, default: 0])
            }!.strategy
            let source = sources[next] ?? []
            var place = places[next, default: 0]
            if next != .random { while place < source.count, !taken.insert(source[place]).inserted { place += 1 } }
            if place < source.count {
                result.append((source[place], next))
                given[next, default: 0] += 1
            } else {
                exhausted.insert(next)
            }
            places[next] = place + 1
        }
        return result
    }
}
