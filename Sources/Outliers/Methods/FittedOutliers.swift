import Foundation
import Inference
import Models
import Tensors

/// A method that was fitted on an archive of stamps: what it is made of, the archive's vectors and the archive's own scores.
///
/// It scores further stamps against the archive, finds the archive's objects that are like a given one, and is one file.
public struct FittedOutliers: Sendable {
    /// An object of the archive.
    public struct Member: Sendable, Codable, Hashable {
        public var id: String
        /// Its image files.
        public var files: [String]

        public init(id: String, files: [String]) {
            self.id = id
            self.files = files
        }
    }

    /// How unusual a stamp is.
    public struct Judgement: Sendable, Equatable {
        /// Larger is more unusual; NaN for a vector that is not finite.
        public var score: Double
        /// Places in the archive, the nearest first.
        public var neighbours: [Int]
        public var distances: [Double]
    }

    public let settings: OutlierSettings
    public let encoder: StampEncoder
    /// A vector for each member.
    public let archive: VectorSet
    public let members: [Member]
    /// Score of each member among the others, ascending.
    public let sortedScores: [Double]
    private let scorer: any OutlierScorer
    private let neighbours: KNNScorer

    /// Fits a method, and judges the archive by it.
    ///
    /// - Parameters:
    ///   - archive: finite vectors, made by the encoder; more than `settings.k`.
    /// - Returns: the fitted method, and a judgement a member, without itself among its neighbours.
    /// - Throws: ``OutlierError`` for too few vectors and impossible settings.
    public static func fit(
        _ settings: OutlierSettings, encoder: StampEncoder, archive: VectorSet, members: [Member]
    ) throws -> (fitted: FittedOutliers, judgements: [Judgement]) {
        let bare = try FittedOutliers(settings, encoder: encoder, archive: archive, members: members, sortedScores: [])
        let judgements = try bare.selfJudgements()
        let fitted = FittedOutliers(bare, sortedScores: judgements.map(\.score).filter(\.isFinite).sorted())
        return (fitted, judgements)
    }

    /// A method whose parts are known, as a file has them.
    public init(
        _ settings: OutlierSettings, encoder: StampEncoder, archive: VectorSet, members: [Member],
        sortedScores: [Double]
    ) throws {
        try OutlierError.check(width: archive.width, expected: encoder.width)
        precondition(archive.count == members.count, "[FittedOutliers] expected a vector a member")
        self.settings = settings
        self.encoder = encoder
        self.archive = archive
        self.members = members
        self.sortedScores = sortedScores
        neighbours = try KNNScorer(
            k: settings.k, metric: settings.metric, standardise: settings.standardise, reference: archive)
        scorer = try Self.scorer(settings, archive: archive) ?? neighbours
    }

    /// What scores by something else than neighbours, fitted on an archive; nil for methods that score by them.
    public static func scorer(_ settings: OutlierSettings, archive: VectorSet) throws -> (any OutlierScorer)? {
        switch settings.method {
        case .iforest: try IsolationForest(fitting: archive, seed: settings.seed)
        case .pca: try PrincipalComponents(fitting: archive, components: 32, seed: settings.seed)
        default: nil
        }
    }

    private init(_ other: FittedOutliers, sortedScores: [Double]) {
        (settings, encoder, archive, members) = (other.settings, other.encoder, other.archive, other.members)
        (scorer, neighbours) = (other.scorer, other.neighbours)
        self.sortedScores = sortedScores
    }

    /// Judges vectors that the encoder made of stamps.
    ///
    /// - Parameter files: of each stamp: a member of the archive with the same files is the object itself, and not its neighbour.
    public func judgements(_ vectors: VectorSet, files: [[String]]) throws -> [Judgement] {
        precondition(files.count == vectors.count, "[judgements] expected files for each vector")
        // One more, in case that one of them is the object itself.
        let search = try KNNScorer(
            k: min(settings.k + 1, archive.count - 1), metric: settings.metric, standardise: settings.standardise,
            reference: archive)
        let others = settings.method.scoresByNeighbours ? nil : try scorer.scores(vectors)
        return try search.neighbours(vectors).enumerated().map { place, row in
            let kept = row.indices.indices.filter { members[row.indices[$0]].files != files[place] }.prefix(settings.k)
            let distances = kept.map { row.distances[$0] }
            let mean = distances.isEmpty ? Double.nan : distances.reduce(0, +) / Double(distances.count)
            return Judgement(
                score: others?[place] ?? mean, neighbours: kept.map { row.indices[$0] }, distances: distances)
        }
    }

    private func selfJudgements() throws -> [Judgement] {
        let rows = neighbours.selfNeighbours()
        let scores = settings.method.scoresByNeighbours ? rows.map(\.meanDistance) : try scorer.scores(archive)
        return zip(scores, rows).map { Judgement(score: $0, neighbours: $1.indices, distances: $1.distances) }
    }

    /// Percentage of the archive with a lower score.
    public func archivePercentile(_ score: Double) -> Double {
        guard score.isFinite, !sortedScores.isEmpty else { return .nan }
        var (low, high) = (0, sortedScores.count)
        while low < high {
            let middle = (low + high) / 2
            if sortedScores[middle] < score { low = middle + 1 } else { high = middle }
        }
        return 100 * Double(low) / Double(sortedScores.count)
    }

    /// The members nearest to a vector, the nearest first.
    public func nearest(to vector: [Float], count: Int) throws -> [(member: Int, distance: Double)] {
        let count = min(count, archive.count - 1)
        guard count > 0 else { return [] }
        let search = try KNNScorer(
            k: count, metric: settings.metric, standardise: settings.standardise, reference: archive)
        let query = VectorSet(count: 1, width: vector.count, values: vector)
        return try search.neighbours(query).flatMap { zip($0.indices, $0.distances).map { (member: $0, distance: $1) } }
    }

    /// The vector of a member.
    public func vector(of member: Int) -> [Float] {
        Array(archive.values[(member * archive.width)..<((member + 1) * archive.width)])
    }
}
