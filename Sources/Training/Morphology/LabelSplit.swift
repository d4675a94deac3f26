import Datasets
import Models
import Tensors

/// Which images are trained on and which only judge.
public struct LabelSplit: Sendable, Codable, Equatable {
    public var train: [Int]
    public var test: [Int]

    /// A random part of each class (of all images, for labels and trees) is held out.
    ///
    /// - Parameter testShare: 0 ..< 1; 0 holds nothing out.
    public init(_ labels: MorphologyLabels, testShare: Double, seed: UInt64) {
        let strata = LabelStrata(labels, among: Array(0..<labels.count))
        let order = strata.shuffled(seed: seed, purpose: .test)
        let test = order.flatMap { $0.prefix(Int((Double($0.count) * testShare).rounded())) }
        self.test = test.sorted()
        let held = Set(test)
        train = (0..<labels.count).filter { !held.contains($0) }
    }

    /// As a column of the table says: `test` is held out, `train` and whatever begins with `val` is trained on.
    ///
    /// - Throws: ``TrainingError`` for other texts.
    public init(_ labels: MorphologyLabels, column: String) throws(TrainingError) {
        train = []
        test = []
        for (index, part) in labels.parts.enumerated() {
            switch part?.lowercased() {
            case "test": test.append(index)
            case let text? where text == "train" || text.hasPrefix("val"): train.append(index)
            default:
                throw TrainingError(
                    .invalidConfiguration,
                    reason:
                        "column '\(column)' says '\(part ?? "")' of \(labels.objects[index].id); expected train, val or test"
                )
            }
        }
        guard !train.isEmpty else {
            throw TrainingError(.invalidConfiguration, reason: "column '\(column)' leaves nothing to train on")
        }
    }

    /// Images that do not judge, whether or not their labels are used.
    public func reference(of labels: MorphologyLabels) -> [Int] {
        let held = Set(test)
        return (0..<labels.count).filter { !held.contains($0) }
    }

    /// At most `count` training images of each class; of all, for labels and trees.
    public mutating func keep(perClass count: Int, of labels: MorphologyLabels, seed: UInt64) {
        train = LabelStrata(labels, among: train).shuffled(seed: seed, purpose: .few).flatMap { $0.prefix(count) }
            .sorted()
    }

    /// The training images in parts of about equal size, each with its share of every class.
    func folds(_ number: Int, of labels: MorphologyLabels, seed: UInt64) -> [[Int]] {
        let order = LabelStrata(labels, among: train).shuffled(seed: seed, purpose: .folds).flatMap { $0 }
        return (0..<number).map { fold in
            order.indices.filter { $0 % number == fold }.map { order[$0] }.sorted()
        }
    }
}

/// Images class by class, or all together where there are no classes.
struct LabelStrata {
    enum Purpose: UInt64 {
        case test = 1
        case few = 2
        case folds = 3
        case order = 4
    }

    let groups: [[Int]]

    init(_ labels: MorphologyLabels, among indices: [Int]) {
        guard case .classes(let names) = labels.target else {
            groups = [indices]
            return
        }
        var groups = [[Int]](repeating: [], count: names.count)
        for index in indices { groups[Int(labels.values[index])].append(index) }
        self.groups = groups
    }

    func shuffled(seed: UInt64, purpose: Purpose) -> [[Int]] {
        groups.enumerated().map { number, group in
            var random = RandomNumbers(seed: seed, stream: purpose.rawValue << 32 | UInt64(number))
            return random.permutation(group.count).map { group[$0] }
        }
    }
}
