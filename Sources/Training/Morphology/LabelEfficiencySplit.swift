import Datasets
import Models
import Tensors

/// Which labels each run of a label-efficiency measurement may use: written to a file, so that other programs train on the same.
public struct LabelEfficiencySplit: Codable, Sendable {
    /// One question about the images.
    public struct Task: Codable, Sendable {
        public var name: String
        public var classes: [String]
        /// Images that belong to it, by their place among ``LabelEfficiencySplit/files``.
        public var images: [Int]
        /// The class of each of these.
        public var labels: [Int]
        /// Places in ``images`` that only judge.
        public var test: [Int]
        /// For each seed places in ``images``: the first n are the training labels of the run with n labels.
        public var orders: [[Int]]
    }

    /// Image files.
    public var files: [String]
    /// Numbers of labels, rising.
    public var counts: [Int]
    public var tasks: [Task]

    /// - Parameters:
    ///   - labels: of classes.
    ///   - pair: a second task that tells some classes from some others; nil for none.
    public init(
        _ labels: MorphologyLabels, counts: [Int], seeds: Int, testShare: Double,
        pair: (first: [String], second: [String])?
    ) throws(TrainingError) {
        guard case .classes(let names) = labels.target else {
            throw TrainingError(.invalidConfiguration, reason: "label efficiency is measured with classes")
        }
        files = labels.objects.map { $0.paths[0] }
        self.counts = counts.sorted()
        let classes = labels.values.map { Int($0) }
        tasks = [
            Task.make(
                "classes", names, images: Array(classes.indices), labels: classes, seeds: seeds, testShare: testShare)
        ]
        if let pair {
            for name in pair.first + pair.second where !names.contains(name) {
                throw TrainingError(.invalidConfiguration, reason: "there is no class '\(name)' to compare")
            }
            let images = classes.indices.filter { (pair.first + pair.second).contains(names[classes[$0]]) }
            tasks.append(
                Task.make(
                    "pair", [pair.first.joined(separator: "+"), pair.second.joined(separator: "+")], images: images,
                    labels: images.map { pair.first.contains(names[classes[$0]]) ? 0 : 1 }, seeds: seeds,
                    testShare: testShare))
        }
        for task in tasks where task.images.count - task.test.count < (counts.max() ?? 0) {
            throw TrainingError(
                .invalidConfiguration,
                reason:
                    "there are \(task.images.count - task.test.count) images to train on, fewer than \(counts.max()!)")
        }
    }
}

extension LabelEfficiencySplit.Task {
    /// Test images are a share of each class. Training orders begin with one image of each class, the largest class first.
    fileprivate static func make(
        _ name: String, _ classes: [String], images: [Int], labels: [Int], seeds: Int, testShare: Double
    ) -> Self {
        let places = classes.indices.map { name in labels.indices.filter { labels[$0] == name } }
        var random = RandomNumbers(seed: 0, stream: LabelStrata.Purpose.test.rawValue << 32)
        var test: [Int] = []
        for group in places {
            let order = random.permutation(group.count).map { group[$0] }
            test += order.prefix(Int((Double(group.count) * testShare).rounded()))
        }
        let held = Set(test)
        let pool = labels.indices.filter { !held.contains($0) }
        let bySize = classes.indices.sorted { (places[$0].count, $1) > (places[$1].count, $0) }
        let orders = (0..<seeds).map { seed in
            var random = RandomNumbers(seed: UInt64(seed), stream: LabelStrata.Purpose.order.rawValue << 32)
            let order = random.permutation(pool.count).map { pool[$0] }
            let first = bySize.compactMap { name in order.first { labels[$0] == name } }
            return first + order.filter { !first.contains($0) }
        }
        return Self(
            name: name, classes: classes, images: images, labels: labels, test: test.sorted(), orders: orders)
    }

    /// Area under the ROC curve on the test images, one class against the rest, averaged over classes.
    ///
    /// - Parameter logits: a row for each test image.
    func area(_ logits: [Float]) -> Double {
        let target = MorphologyTarget.classes(classes)
        let probabilities = test.indices.flatMap {
            target.answer(logits[($0 * classes.count)..<(($0 + 1) * classes.count)]).values
        }
        let metrics = ClassMetrics(
            probabilities: probabilities, labels: test.map { labels[$0] }, classCount: classes.count)
        return metrics.values(weights: .init(repeating: 1, count: test.count))["auc"]!
    }
}

/// AUC against the number of labels.
public struct LabelEfficiencyCurve: Codable, Sendable {
    public var task: String
    public var method: String
    public var labels: [Int]
    /// For each number of labels the AUC of each seed.
    public var auc: [[Double]]

    public init(task: String, method: String, labels: [Int], auc: [[Double]]) {
        self.task = task
        self.method = method
        self.labels = labels
        self.auc = auc
    }

    public var means: [Double] { auc.map { $0.reduce(0, +) / Double($0.count) } }

    /// Labels that are needed for a mean AUC, between measured numbers by the logarithm; nil where it is not reached, and the
    /// smallest number where that is enough.
    public func labelsNeeded(for area: Double) -> Double? {
        let means = means
        guard let place = means.firstIndex(where: { $0 >= area }) else { return nil }
        guard place > 0 else { return Double(labels[0]) }
        let share = (area - means[place - 1]) / (means[place] - means[place - 1])
        return Double(labels[place - 1])
            * LabelEfficiencyCurve.power(
                Double(labels[place]) / Double(labels[place - 1]), share)
    }
}
