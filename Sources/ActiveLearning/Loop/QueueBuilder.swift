import Foundation
import Labeling
import Training

/// Orders the objects of a run for a task: what strategies and a model, where there is one, make of them.
public struct QueueBuilder {
    /// Objects that the diversity strategy chooses: each costs a pass over all objects.
    public static let coreSetSize = 200

    let features: MorphologyFeatures
    let outlierScores: [Double]
    let mix: StrategyMix
    let seed: UInt64

    public init(_ features: MorphologyFeatures, outlierScores: [Double], mix: StrategyMix, seed: UInt64) {
        self.features = features
        self.outlierScores = outlierScores
        self.mix = mix
        self.seed = seed
    }

    /// One object in its place.
    public struct Place: Sendable {
        public var row: Int
        public var strategy: String
        public var score: Double
        public var uncertainty: Double?
    }

    /// All rows in the order in which they are to be shown.
    ///
    /// - Parameters:
    ///   - labelled: rows that have a label: diversity keeps away from them.
    ///   - members: class probabilities, members × rows × classes; for entropy, margin and BALD.
    ///   - relevance: interest by row that scores of people let expect; for `relevance`.
    public func order(
        labelled: [Int], prediction members: [[[Double]]]? = nil, relevance: [Double]? = nil
    ) -> [Place] {
        let rows = Array(0..<features.count)
        let scores = outlierScores.map { $0.isFinite ? $0 : -.infinity }
        var values: [Strategy: [Double]] = [:]
        if outlierScores.contains(where: \.isFinite) { values[.outliers] = scores }
        if let relevance { values[.relevance] = relevance }
        if let members {
            for (strategy, kind) in [
                (Strategy.entropy, Uncertainty.entropy), (.margin, .margin), (.bald, .bald),
            ] where mix.shares.contains(where: { $0.strategy == strategy }) {
                values[strategy] = rows.map { row in kind.value(members.map { $0[row] }) }
            }
        }
        var rankings = values.filter { entry in mix.shares.contains { $0.strategy == entry.key } }.mapValues { values in
            rows.sorted { (-values[$0], $0) < (-values[$1], $1) }
        }
        var distances: [Int: Double] = [:]
        if mix.shares.contains(where: { $0.strategy == .diversity }) {
            let covered = Set(labelled)
            let chosen = CoreSet(features).choose(
                Self.coreSetSize, among: rows.filter { !covered.contains($0) }, labelled: labelled)
            rankings[.diversity] = chosen.map(\.row)
            for object in chosen where object.distance.isFinite { distances[object.row] = Double(object.distance) }
        }
        var places = mix.interleave(rankings, count: rows.count, rows: rows, seed: seed).map { row, strategy in
            let value = strategy == .diversity ? distances[row] : values[strategy]?[row]
            let isUncertainty = [.entropy, .margin, .bald].contains(strategy)
            return Place(
                row: row, strategy: strategy.rawValue, score: value ?? 0, uncertainty: isUncertainty ? value : nil)
        }
        // What no strategy chose follows, the most unusual first, so that every object carries its prediction.
        let taken = Set(places.map(\.row))
        places += rows.filter { !taken.contains($0) }.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.map {
            Place(row: $0, strategy: "remaining", score: outlierScores[$0])
        }
        return places
    }
}
