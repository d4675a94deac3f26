import Datasets
import Kernels
public import Models
import Tensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension LabelEfficiencyCurve {
    static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
}

/// Trains with few and many labels. Runs are independent: each takes one core, so many go on at once.
public struct LabelEfficiencyRunner {
    /// Ways to learn from few labels.
    public enum Method: String, Sendable, CaseIterable {
        /// A head on the frozen backbone.
        case frozen
        /// Head and backbone.
        case finetune
        /// The same network with random weights.
        case scratch
    }

    let split: LabelEfficiencySplit
    let workers: Int
    /// Of all images.
    let features: MorphologyFeatures?
    let stamps: CorpusStamps?
    let backbone: VisionTransformer
    let precision: Precision

    /// - Parameters:
    ///   - features: for `frozen` and `finetune`.
    ///   - stamps: for `finetune` and `scratch`.
    public init(
        _ split: LabelEfficiencySplit, backbone: VisionTransformer, features: MorphologyFeatures?,
        stamps: CorpusStamps?, precision: Precision, workers: Int
    ) {
        self.split = split
        self.backbone = backbone
        self.features = features
        self.stamps = stamps
        self.precision = precision
        self.workers = workers
    }

    private struct Job {
        var task: LabelEfficiencySplit.Task
        var seed: Int
        var count: Int
    }

    /// - Parameter progress: called with the number of runs that are done.
    /// - Returns: a curve for each task.
    public func run(_ method: Method, progress: (Int) -> Void) throws -> [LabelEfficiencyCurve] {
        // The longest first: they decide when the last core is free.
        let jobs = split.counts.reversed().flatMap { count in
            split.tasks.flatMap { task in task.orders.indices.map { Job(task: task, seed: $0, count: count) } }
        }
        var areas: [Double] = []
        let pool = WorkerPool(threads: workers)
        for start in stride(from: 0, to: jobs.count, by: workers) {
            let part = Array(jobs[start..<min(start + workers, jobs.count)])
            var results = [Result<Double, any Error>?](repeating: nil, count: part.count)
            results.withUnsafeMutableBufferPointer { results in
                let results = results
                pool.parallelFor(part.count) { index in results[index] = Result { try area(method, part[index]) } }
            }
            areas += try results.map { try $0!.get() }
            progress(areas.count)
        }
        return split.tasks.map { task in
            LabelEfficiencyCurve(
                task: task.name, method: method.rawValue, labels: split.counts,
                auc: split.counts.map { count in
                    zip(jobs, areas).filter { $0.0.count == count && $0.0.task.name == task.name }.map(\.1)
                })
        }
    }

    private func area(_ method: Method, _ job: Job) throws -> Double {
        let task = job.task
        let target = MorphologyTarget.classes(task.classes)
        let train = job.task.orders[job.seed].prefix(job.count).map { task.images[$0] }
        let test = task.test.map { task.images[$0] }
        var values = [Float](repeating: 0, count: split.files.count)
        for (image, label) in zip(task.images, task.labels) { values[image] = Float(label) }
        let labels = MorphologyLabels(
            target: target, objects: split.files.map { .init(id: $0, planes: [.init(path: $0)]) }, values: values,
            parts: .init(repeating: nil, count: values.count), failures: [], unlabelledRows: 0, unlabelledImages: 0,
            repeatedRows: 0)
        let labelSplit = LabelSplit(train: train, test: test)
        var head: MorphologyHead?
        if method != .scratch {
            let settings = HeadSettings.standard(hidden: false, seed: UInt64(job.seed), workers: 1)
            let trainer = HeadTrainer(
                settings, features: features!, labels: labels, reference: labelSplit.reference(of: labels))
            head = try trainer.fit(train).head
            if method == .frozen { return task.area(features!.logits(head!, test)) }
        }
        var settings = method == .scratch ? NetworkSettings.scratch : NetworkSettings()
        settings.batchSize = min(settings.batchSize, max(8, job.count))
        // As many epochs as with many labels, but not fewer steps than it takes to learn anything.
        settings.epochs = max(settings.epochs, 60 * Double(settings.batchSize) / Double(job.count))
        (settings.validationShare, settings.views, settings.seed) = (0, 1, UInt64(job.seed))
        (settings.precision, settings.workers) = (precision, 1)
        let pooling = method == .scratch ? MorphologyPooling.last(of: backbone) : .frozen(of: backbone)
        let configuration = MorphologyConfiguration(
            target: target, pooling: pooling, tokenWidth: backbone.configuration.width, hidden: 0, members: 1, views: 1,
            backbone: backbone.configuration)
        let network = try MorphologyNetwork(
            configuration, from: .random(seed: settings.seed, on: CPUBackend(threads: 1)))
        if let head { network.takeWeights(backbone: backbone, head: head) }
        let trainer = NetworkTrainer(settings, stamps: stamps!, labels: labels)
        guard let result = try trainer.train(network, labelSplit, folder: nil, report: { _ in true }) else {
            throw TrainingError(.invalidConfiguration, reason: "the run did not end")
        }
        return task.area(try trainer.logits(result.network, test))
    }
}
