import Datasets
import Foundation
import Kernels
import Models
import Tensors
import Training

/// Linear heads on frozen vectors, each trained on another bootstrap sample of the labels.
///
/// Where labels are few their answers differ, and by how much says what the next label would teach.
public struct HeadEnsemble: Sendable {
    public let classes: [String]
    let features: MorphologyFeatures
    let heads: [MorphologyHead]
    /// For each head the labels it did not learn from, as places in the list of labels.
    let outOfBag: [[Int]]

    /// How the heads are trained. The standardisation is that of all objects.
    public struct Settings: Sendable {
        public var members = 5
        public var steps = 120
        /// How small weights are kept, see `HeadSettings.strengths`.
        public var strength: Float = 4
        public var seed: UInt64 = 0
        public var workers = 1

        public init(
            members: Int = 5, steps: Int = 120, strength: Float = 4, seed: UInt64 = 0, workers: Int = 1
        ) {
            self.members = members
            self.steps = steps
            self.strength = strength
            self.seed = seed
            self.workers = workers
        }
    }

    /// - Parameters:
    ///   - features: of all objects.
    ///   - labels: rows and the places of their classes.
    /// - Throws: ``ActiveLearningError`` with fewer than two classes among the labels.
    public init(
        _ settings: Settings, features: MorphologyFeatures, labels: [(row: Int, label: Int)], classes: [String]
    ) throws {
        guard Set(labels.map(\.label)).count > 1 else {
            throw ActiveLearningError(.labels, "the answers so far are all of one class; two are needed to learn")
        }
        self.classes = classes
        self.features = features
        let samples = (0..<settings.members).map { Self.bootstrap(labels, seed: settings.seed, member: $0) }
        outOfBag = samples.map { sample in
            let used = Set(sample)
            return labels.indices.filter { !used.contains($0) }
        }
        // The trainer looks at the labelled rows alone: a matrix of them, and one that standardises.
        let rows = MorphologyFeatures(features.numbers(labels.map(\.row)), width: features.width)
        let known = MorphologyLabels(
            target: .classes(classes), objects: labels.map { .init(id: "\($0.row)", planes: []) },
            values: labels.map { Float($0.label) }, parts: .init(repeating: nil, count: labels.count))
        let scale = features.values
        var results = [Result<MorphologyHead, any Error>?](repeating: nil, count: settings.members)
        let pool = WorkerPool(threads: min(settings.workers, settings.members))
        results.withUnsafeMutableBufferPointer { results in
            let results = results
            pool.parallelFor(settings.members) { member in
                var head = HeadSettings.standard(hidden: false, seed: settings.seed &+ UInt64(member), workers: 1)
                head.steps = settings.steps
                let trainer = HeadTrainer(head, features: rows, labels: known, reference: Array(labels.indices))
                results[member] = Result {
                    try trainer.fit(
                        samples[member], strength: settings.strength, standardisedBy: scale
                    ).head
                }
            }
        }
        heads = try results.map { try $0!.get() }
    }

    /// Places in the list of labels, drawn with replacement class by class, so that every member knows every class.
    static func bootstrap(_ labels: [(row: Int, label: Int)], seed: UInt64, member: Int) -> [Int] {
        var random = RandomNumbers(seed: seed, stream: 0xB007 << 32 | UInt64(member))
        return Set(labels.map(\.label)).sorted().flatMap { label in
            let group = labels.indices.filter { labels[$0].label == label }
            return group.indices.map { _ in group[random.integer(below: group.count)] }
        }
    }

    /// Class probabilities of rows by each member: members × rows × classes.
    public func probabilities(_ rows: [Int]) -> [[[Double]]] {
        probabilities(of: MorphologyFeatures(features.numbers(rows), width: features.width))
    }

    /// Class probabilities of other objects by each member: members × rows × classes.
    public func probabilities(of others: MorphologyFeatures) -> [[[Double]]] {
        heads.map { head in
            let logits = others.logits(head, Array(0..<others.count))
            return (0..<others.count).map { row in
                Self.softmax(logits[(row * classes.count)..<((row + 1) * classes.count)])
            }
        }
    }

    /// Class probabilities of the labelled rows by the members that did not learn from them; nil where all did.
    func outOfBagProbabilities(_ rows: [Int]) -> [[Double]?] {
        var sums = [[Double]?](repeating: nil, count: rows.count)
        var counts = [Double](repeating: 0, count: rows.count)
        for (head, places) in zip(heads, outOfBag) {
            let logits = features.logits(head, places.map { rows[$0] })
            for (row, place) in places.enumerated() {
                let values = Self.softmax(logits[(row * classes.count)..<((row + 1) * classes.count)])
                sums[place] = sums[place].map { zip($0, values).map(+) } ?? values
                counts[place] += 1
            }
        }
        return zip(sums, counts).map { sum, count in sum?.map { $0 / count } }
    }

    private static func softmax(_ logits: ArraySlice<Float>) -> [Double] {
        let largest = logits.max() ?? 0
        let powers = logits.map { exp(Double($0 - largest)) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }
}
