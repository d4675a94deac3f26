public import Kernels
public import Models
public import Tensors

/// Measures how many images a second backbones embed and train on, and where the time goes.
///
/// Inference runs one single-threaded worker a core, each with its share of the batch; a batch that is smaller than the
/// number of workers runs as a whole, each operation split over the cores. A training step is forward,
/// backward and an AdamW update on the mean square of the embedding, data-parallel in the same way. The peer script
/// benchmarks/backbone/pytorch_backbone.py measures the same with PyTorch.
public struct BackboneBenchmark: Sendable {
    /// What is measured.
    public enum Task: String, Sendable, Codable, CaseIterable {
        case inference
        case training
        /// A masked-autoencoder step: the encoder sees a quarter of the patches.
        case pretraining
    }

    /// One network to measure.
    public struct Subject: Sendable {
        public var name: String
        public var configuration: ViTConfiguration
        public var batch: Int
        public var tasks: [Task]
        /// Blocks of the decoder in pre-training; its width is half that of the encoder, its heads are as many.
        public var decoderDepth: Int

        public init(
            _ name: String, _ configuration: ViTConfiguration, batch: Int, tasks: [Task], decoderDepth: Int = 1
        ) {
            self.name = name
            self.configuration = configuration
            self.batch = batch
            self.tasks = tasks
            self.decoderDepth = decoderDepth
        }

        /// The published sizes at 224 pixels and the default model.
        public static let standard: [Subject] = [
            Subject("tiny", .tiny(), batch: 16, tasks: [.inference, .training]),
            Subject("small", .small(), batch: 16, tasks: [.inference, .training]),
            Subject("base", .base(), batch: 16, tasks: [.inference, .training]),
            Subject("stamp64", .stamp64, batch: 128, tasks: [.inference, .training, .pretraining]),
        ]
        /// And the model of benchmarks/training/pretrain_step.py, and what takes minutes: a large image in small patches, 16 385
        /// tokens, nearly all of it attention.
        public static let all =
            standard + [
                Subject(
                    "stamp128",
                    ViTConfiguration(
                        imageSize: 128, patchSize: 8, width: 256, depth: 7, heads: 4, positionCoverage: .patches),
                    batch: 128, tasks: [.inference, .training, .pretraining], decoderDepth: 2),
                Subject("small1024", .small(imageSize: 1024, patchSize: 8), batch: 1, tasks: [.inference]),
            ]
    }

    /// A kind of work and its share of the time of all workers.
    public struct Share: Sendable, Codable {
        public var work: String
        public var share: Double
    }

    /// One measurement.
    public struct Row: Sendable, Codable {
        public var model: String
        public var imageSize: Int
        public var patchSize: Int
        public var parameters: Int
        public var task: Task
        public var precision: Precision
        public var attention: String
        public var batch: Int
        public var workers: Int
        /// Batches timed.
        public var repetitions: Int
        /// From the fastest and the median batch.
        public var bestImagesPerSecond: Double
        public var medianImagesPerSecond: Double
        /// Products and attention by formula, at the median rate, 10⁹ operations a second; nil for pre-training.
        public var gigaflops: Double?
        /// From a run of its own with the profiler on; what is missing to 1 is the engine: shapes, allocation, tape,
        /// and workers that wait for each other.
        public var breakdown: [Share]
        /// The share of the time outside oneDNN and the attention kernel.
        public var shareOutsideProductsAndAttention: Double
    }

    public var subjects: [Subject]
    /// Of them, int8 is measured in inference only.
    public var precisions: [Precision]
    public var attention: AttentionVariant
    /// Order of the patches inside the network.
    public var order: GridOrder
    public var workers: Int
    /// Time to spend on each row, seconds; at least three batches are timed.
    public var secondsPerRow: Double
    /// How float32 matrices are multiplied.
    public var float32Products: Float32Products

    public init(
        subjects: [Subject] = Subject.standard, precisions: [Precision] = Precision.allCases,
        attention: AttentionVariant = .automatic, order: GridOrder = .rows, workers: Int,
        secondsPerRow: Double = 2, float32Products: Float32Products = .automatic
    ) {
        self.subjects = subjects
        self.precisions = precisions
        self.attention = attention
        self.order = order
        self.workers = workers
        self.secondsPerRow = secondsPerRow
        self.float32Products = float32Products
    }

    /// Measures all rows, one after the other.
    ///
    /// - Parameter report: called with each row as it is there.
    public func run(_ report: (Row) -> Void = { _ in }) throws -> [Row] {
        var rows: [Row] = []
        for subject in subjects {
            for task in subject.tasks {
                for precision in precisions where precision != .int8 || task == .inference {
                    let row = try measure(subject, task, precision)
                    report(row)
                    rows.append(row)
                }
            }
        }
        return rows
    }

    private func measure(_ subject: Subject, _ task: Task, _ precision: Precision) throws -> Row {
        let callers = subject.batch < workers ? 1 : workers
        let backend = CPUBackend(threads: workers / callers, float32Products: float32Products)
        let step = try self.step(subject, task, precision, callers, backend)
        let clock = ContinuousClock()
        let begin = clock.now
        try step()
        if (clock.now - begin) / .seconds(1) < secondsPerRow { try step() }
        var times: [Double] = []
        while times.count < 3 || times.reduce(0, +) < secondsPerRow {
            let start = clock.now
            try step()
            times.append((clock.now - start) / .seconds(1))
        }
        times.sort()

        backend.profiler.reset()
        backend.profiler.isEnabled = true
        let start = clock.now
        let profiled = max(1, min(5, Int(secondsPerRow / times[0])))
        for _ in 0..<profiled { try step() }
        let available = (clock.now - start) / .seconds(1) * Double(callers)
        backend.profiler.isEnabled = false
        let entries = backend.profiler.entries
        let inside = entries.reduce(0) { sum, entry in
            [.product, .convolution, .attention].contains(entry.kind) ? sum + entry.seconds : sum
        }

        let median = times[times.count / 2]
        let operations = Double(subject.batch) * subject.configuration.floatingPointOperations
        let model = try VisionTransformer(subject.configuration, seed: 0, backend: backend)
        return Row(
            model: subject.name, imageSize: subject.configuration.imageSize,
            patchSize: subject.configuration.patchSize, parameters: model.parameterCount, task: task,
            precision: precision, attention: attention.description, batch: subject.batch, workers: workers,
            repetitions: times.count,
            bestImagesPerSecond: Double(subject.batch) / times[0],
            medianImagesPerSecond: Double(subject.batch) / median,
            gigaflops: task == .pretraining ? nil : operations * (task == .inference ? 1 : 3) / median * 1e-9,
            breakdown: entries.map { Share(work: $0.kind.title, share: $0.seconds / available) },
            shareOutsideProductsAndAttention: 1 - inside / available)
    }

    /// The work of one batch.
    private func step(
        _ subject: Subject, _ task: Task, _ precision: Precision, _ workers: Int, _ backend: CPUBackend
    ) throws -> () throws -> Void {
        let (configuration, batch) = (subject.configuration, subject.batch)
        let shape = [configuration.channels, configuration.imageSize, configuration.imageSize]
        let length = shape.reduce(1, *)
        var random = RandomNumbers(seed: 1)
        let pixels = (0..<(batch * length)).map { _ in random.uniform(-2, 2) }
        let parallel = DataParallel(workers: workers)
        let execution = Execution(precision: precision, attention: attention, order: order)

        switch task {
        case .inference:
            let model = try VisionTransformer(configuration, seed: 0, backend: backend).converted(to: precision)
            return {
                parallel.pool.parallelFor(workers) { worker in
                    let range = (worker * batch / workers)..<((worker + 1) * batch / workers)
                    let part = Array(pixels[(range.lowerBound * length)..<(range.upperBound * length)])
                    _ = model.embed(
                        batch: part, count: range.count, precision: precision, attention: execution.attention,
                        order: execution.order)
                }
            }
        case .training:
            let model = try VisionTransformer(configuration, seed: 0, backend: backend)
            var optimizer = AdamW(model)
            return {
                let (_, gradients) = try parallel.gradients(of: model, batch: batch) { model, range in
                    let part = Array(pixels[(range.lowerBound * length)..<(range.upperBound * length)])
                    let images = Tensor(part, shape: [range.count] + shape, on: backend)
                    return model.pool(model(images, execution)).square().mean()
                }
                optimizer.update(gradients, learningRate: 1e-4, maximumNorm: 1, pool: parallel.pool)
            }
        case .pretraining:
            let network = try MaskedAutoencoder(
                MaskedAutoencoderConfiguration(
                    encoder: configuration, decoderWidth: configuration.width / 2, decoderDepth: subject.decoderDepth,
                    decoderHeads: configuration.heads),
                seed: 0, backend: backend)
            var optimizer = AdamW(network)
            let patches = configuration.gridSize * configuration.gridSize
            return {
                let (_, gradients) = try parallel.gradients(of: network, batch: batch) { network, range in
                    let part = Array(pixels[(range.lowerBound * length)..<(range.upperBound * length)])
                    let images = Tensor(part, shape: [range.count] + shape, on: backend)
                    let mask = PatchMask.random(
                        patches: patches, ratio: 0.75, range.map { RandomNumbers(seed: 1, stream: UInt64($0)) })
                    return network.loss(images, mask: mask, execution)
                }
                optimizer.update(gradients, learningRate: 1e-4, maximumNorm: 1, pool: parallel.pool)
            }
        }
    }
}
