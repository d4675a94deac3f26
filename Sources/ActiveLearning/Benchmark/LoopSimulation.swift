import Foundation
import Kernels
import Tensors
import Training

/// The loop with a simulated person: an oracle that gives the true class but for a stated share of mistakes.
///
/// Every round is what the program does: a head ensemble learns from all answers so far, the queue is ordered, and the next
/// answers go to its front.
public struct LoopSimulation: Sendable {
    /// What one strategy reached with one seed.
    public struct Run: Sendable {
        public var strategy: String
        public var seed: Int
        /// Macro AUC on the test part after each number of answers.
        public var auc: [Double]
    }

    public let classes: [String]
    /// Numbers of answers after which the model learns, the first of them chosen at random.
    public let counts: [Int]
    /// Share of the answers that are another class, drawn at random.
    public let error: Double
    public let testShare: Double
    /// How heads are trained; the seed is that of the run.
    public var heads = HeadEnsemble.Settings()
    let features: MorphologyFeatures
    let labels: [Int]

    public init(
        features: MorphologyFeatures, labels: [Int], classes: [String], counts: [Int], error: Double, testShare: Double
    ) {
        precondition(features.count == labels.count, "[LoopSimulation] expected a label a vector")
        self.features = features
        self.labels = labels
        self.classes = classes
        self.counts = counts
        self.error = error
        self.testShare = testShare
    }

    /// Runs all strategies with seeds 0 ..< seeds, several at a time.
    ///
    /// - Parameter progress: called with the number of runs that are done.
    public func run(
        _ strategies: [(name: String, mix: StrategyMix)], seeds: Int, workers: Int, progress: (Int) -> Void
    ) throws -> [Run] {
        let jobs = (0..<seeds).flatMap { seed in strategies.map { (seed: seed, name: $0.name, mix: $0.mix) } }
        var runs: [Run] = []
        let pool = WorkerPool(threads: workers)
        for start in stride(from: 0, to: jobs.count, by: workers) {
            let part = Array(jobs[start..<min(start + workers, jobs.count)])
            var results = [Result<Run, any Error>?](repeating: nil, count: part.count)
            results.withUnsafeMutableBufferPointer { results in
                let results = results
                pool.parallelFor(part.count) { index in
                    let job = part[index]
                    results[index] = Result {
                        Run(strategy: job.name, seed: job.seed, auc: try curve(job.mix, seed: job.seed))
                    }
                }
            }
            runs += try results.map { try $0!.get() }
            progress(runs.count)
        }
        return runs
    }

    private func curve(_ mix: StrategyMix, seed: Int) throws -> [Double] {
        var random = RandomNumbers(seed: UInt64(seed), stream: 0x0C)
        let order = random.permutation(labels.count)
        let test = Array(order.prefix(Int(Double(labels.count) * testShare)))
        let pool = Array(order.dropFirst(test.count))
        let poolFeatures = MorphologyFeatures(features.numbers(pool), width: features.width)
        let answers = pool.map { answer(labels[$0], &random) }
        let builder = QueueBuilder(
            poolFeatures, outlierScores: .init(repeating: .nan, count: pool.count), mix: mix, seed: UInt64(seed))
        var labelled: [Int] = []
        var isLabelled = [Bool](repeating: false, count: pool.count)
        func label(_ row: Int) {
            labelled.append(row)
            isLabelled[row] = true
        }
        // The first objects are the same for all strategies; more are taken until there are two answers.
        for row in random.permutation(pool.count) {
            if labelled.count >= counts[0], Set(labelled.map { answers[$0] }).count > 1 { break }
            label(row)
        }
        var areas: [Double] = []
        let testFeatures = MorphologyFeatures(features.numbers(test), width: features.width)
        for (round, count) in counts.enumerated() {
            // One ensemble a round: it judges, and orders the next queue.
            let known = Set(labelled.map { answers[$0] }).sorted()
            var settings = heads
            settings.seed = UInt64(seed)
            let ensemble = try HeadEnsemble(
                settings, features: poolFeatures,
                labels: labelled.map { (row: $0, label: known.firstIndex(of: answers[$0])!) },
                classes: known.map { classes[$0] })
            let judged = ensemble.probabilities(of: testFeatures)
            let probabilities = test.indices.map { row in
                var all = [Double](repeating: 0, count: classes.count)
                for (place, value) in Uncertainty.mean(judged.map { $0[row] }).enumerated() {
                    all[known[place]] = value
                }
                return all
            }
            areas.append(TaskModel.area(probabilities, test.map { labels[$0] }, classes.count))
            guard round + 1 < counts.count else { break }
            precondition(count <= pool.count, "[LoopSimulation] expected a pool of more than \(count) objects")
            let places = builder.order(
                labelled: labelled, prediction: ensemble.probabilities(Array(0..<pool.count)))
            for place in places where labelled.count < counts[round + 1] && !isLabelled[place.row] { label(place.row) }
        }
        return areas
    }

    private func answer(_ truth: Int, _ random: inout RandomNumbers) -> Int {
        guard Double(random.integer(below: 1_000_000)) / 1e6 < error else { return truth }
        let other = random.integer(below: classes.count - 1)
        return other < truth ? other : other + 1
    }

    /// Answers that a mean curve needs to reach a goal, on straight lines in the logarithm of the number; nil where it does not.
    public static func answers(counts: [Int], mean: [Double], goal: Double) -> Double? {
        guard let place = mean.firstIndex(where: { $0 >= goal }) else { return nil }
        guard place > 0 else { return Double(counts[0]) }
        let (x0, x1) = (log(Double(counts[place - 1])), log(Double(counts[place])))
        let (y0, y1) = (mean[place - 1], mean[place])
        return exp(x0 + (x1 - x0) * (goal - y0) / (y1 - y0))
    }
}
