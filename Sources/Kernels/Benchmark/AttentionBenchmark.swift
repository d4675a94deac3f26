import Synchronization

/// Measures the attention kernels: rate, share of what the processor's product instructions reach, error against double
/// precision, counters.
public struct AttentionBenchmark: Sendable {
    /// One shape: self-attention of `batch` images of `tokens` tokens in `heads` heads.
    public struct Shape: Sendable, Codable {
        public var batch: Int
        public var heads: Int
        public var tokens: Int
        public var width: Int

        public init(batch: Int, heads: Int, tokens: Int, width: Int) {
            self.batch = batch
            self.heads = heads
            self.tokens = tokens
            self.width = width
        }

        /// Heads enough to keep the cores busy, images enough for a millisecond.
        public init(tokens: Int, width: Int) {
            self.init(batch: max(1, 16 * 197 / tokens), heads: tokens < 8192 ? 6 : 2, tokens: tokens, width: width)
        }

        /// Operations of both products: 4 · tokens² · width a head.
        public var operations: Double {
            4 * Double(batch * heads) * Double(tokens) * Double(tokens) * Double(width)
        }
    }

    /// An algorithm with its options.
    public struct Variant: Sendable, Hashable {
        public var algorithm: AttentionAlgorithm
        public var estimate: MaximumEstimate
        /// λ of VSA.
        public var skipThreshold: Float

        public init(
            _ algorithm: AttentionAlgorithm, estimate: MaximumEstimate = .automatic, skipThreshold: Float = 1e-4
        ) {
            self.algorithm = algorithm
            self.estimate = estimate
            self.skipThreshold = skipThreshold
        }
    }

    /// One measurement.
    public struct Row: Sendable, Codable {
        public var shape: Shape
        public var algorithm: String
        /// How VFA's maximum begins.
        public var estimate: String
        /// λ of VSA.
        public var skipThreshold: Float?
        /// In the paper's notation: bits of the products, bits of the softmax.
        public var mode: String
        public var precision: String
        public var instructionSet: String
        public var workers: Int
        public var repetitions: Int
        /// From the median call and from the fastest, 10⁹ operations a second.
        public var gigaflops: Double
        public var bestGigaflops: Double
        /// Of the rate that product instructions of this precision reach on registers alone, on as many threads.
        public var shareOfLimit: Double
        /// To the rate of FA2 in the same precision, measured in turns with it: the median over turns.
        public var ratioToFA2: Double
        /// To the rate of FA2 with bfloat16 products, measured in the same turns; nil where it was not measured.
        public var ratioToC16FA2: Double?
        /// |o − truth| / |truth| of one head of at most 1024 tokens of normal numbers, in the Euclidean norm.
        public var relativeError: Double
        public var tiles: Int
        public var rowMaximumTiles: Int
        public var skippedTiles: Int
        public var redoneTiles: Int
        public var rescales: Int
        public var fallbackRows: Int
    }

    public var shapes: [Shape]
    public var precisions: [AttentionProducts]
    public var variants: [Variant]
    public var workers: Int
    /// For each variant of a shape and precision.
    public var seconds: Double
    public var instructionSet: InstructionSet

    public init(
        shapes: [Shape], precisions: [AttentionProducts] = AttentionProducts.allCases,
        variants: [Variant] = [Variant(.vfa), Variant(.fa2)], workers: Int, seconds: Double = 1,
        instructionSet: InstructionSet = .best
    ) {
        self.shapes = shapes
        self.precisions = precisions
        self.variants = variants
        self.workers = workers
        self.seconds = seconds
        self.instructionSet = instructionSet
    }

    /// Operations a second, in 10⁹, that product instructions reach on registers alone: the most that any kernel could.
    public func limits() -> [AttentionProducts: Double] {
        var limits = Dictionary(
            uniqueKeysWithValues: [AttentionProducts.float32, .bfloat16, .int8].map { ($0, limit($0)) })
        limits[.int8BFloat16] = 2 / (1 / limits[.int8]! + 1 / limits[.bfloat16]!)  // one product of each
        return limits
    }

    private func limit(_ products: AttentionProducts) -> Double {
        let pool = WorkerPool(threads: workers)
        let kernels = HostKernels(instructionSet)
        let clock = ContinuousClock()
        var best = 0.0
        for _ in 0..<8 {
            let operations = Mutex(0)
            let start = clock.now
            pool.parallelFor(workers) { _ in
                let count = kernels.multiplyRegisters(products, rounds: 400_000)
                operations.withLock { $0 += count }
            }
            best = max(best, Double(operations.withLock { $0 }) / ((clock.now - start) / .seconds(1)) * 1e-9)
        }
        return best
    }

    /// Measures every shape; all precisions and variants of one take turns, call by call.
    ///
    /// - Parameters:
    ///   - limits: what ``limits()`` measured.
    ///   - report: called with each row as it is there.
    public func run(limits: [AttentionProducts: Double], _ report: (Row) -> Void = { _ in }) -> [Row] {
        let pool = WorkerPool(threads: workers)
        var rows: [Row] = []
        for shape in shapes {
            for row in measure(shape, limits, pool) {
                report(row)
                rows.append(row)
            }
        }
        return rows
    }

    /// One thing to measure: its kernel and operands.
    private struct Subject {
        let products: AttentionProducts
        let variant: Variant
        let kernel: AttentionKernel
        let run: () -> AttentionKernelCounters
    }

    private func kernel(_ shape: Shape, _ products: AttentionProducts, _ variant: Variant) -> AttentionKernel {
        var kernel = AttentionKernel(
            batch: shape.batch, heads: shape.heads, tokens: shape.tokens, width: shape.width,
            storage: products == .float32 ? .float32 : .bfloat16, products: products, algorithm: variant.algorithm,
            instructionSet: instructionSet)
        kernel.estimate = variant.estimate
        kernel.skipThreshold = variant.skipThreshold
        return kernel
    }

    private func measure(_ shape: Shape, _ limits: [AttentionProducts: Double], _ pool: WorkerPool) -> [Row] {
        let count = shape.batch * shape.tokens * shape.heads * shape.width
        // Narrow products read bfloat16 tensors, as a backbone in those precisions has them.
        let memory = Dictionary(
            uniqueKeysWithValues: ElementType.allCases.map { type in
                (
                    type,
                    (
                        qkv: BenchmarkOperand(count: 3 * count, type: type, seed: 1),
                        o: BenchmarkOperand(count: count, type: type, seed: nil)
                    )
                )
            })
        let scratch = AttentionScratch()
        // FA2 is measured in any case, because the others are compared with it.
        let fa2 = Variant(.fa2)
        let subjects = precisions.flatMap { products in
            (variants.contains(fa2) ? variants : variants + [fa2]).map { variant in
                let kernel = kernel(shape, products, variant)
                let (qkv, o) = memory[kernel.storage]!
                let parts = AttentionOperand.fused(
                    qkv.pointer, type: kernel.storage, tokens: shape.tokens, heads: shape.heads, width: shape.width)
                let result = AttentionOperand.tokensHeads(
                    o.pointer, tokens: shape.tokens, heads: shape.heads, width: shape.width)
                return Subject(products: products, variant: variant, kernel: kernel) {
                    withExtendedLifetime((qkv, o)) {
                        kernel.forward(q: parts.q, k: parts.k, v: parts.v, into: result, scratch: scratch, pool: pool)
                    }
                }
            }
        }
        let counters = subjects.map { $0.run() }
        var times = subjects.map { _ in [Double]() }
        let clock = ContinuousClock()
        while times[0].count < 3 || times.reduce(0, { $0 + $1.reduce(0, +) }) < seconds * Double(subjects.count) {
            for (index, subject) in subjects.enumerated() {
                let start = clock.now
                _ = subject.run()
                times[index].append((clock.now - start) / .seconds(1))
            }
        }
        let truths = Dictionary(uniqueKeysWithValues: ElementType.allCases.map { ($0, Truth(shape, storage: $0)) })
        func index(_ products: AttentionProducts, _ variant: Variant) -> Int? {
            subjects.firstIndex { $0.products == products && $0.variant == variant }
        }
        /// How much faster subject `a` was than `b`: the median over the turns, in each of which both ran.
        func ratio(_ a: Int, to b: Int) -> Double { median(zip(times[b], times[a]).map { $0 / $1 }) }
        return subjects.indices.filter { variants.contains(subjects[$0].variant) }.map { position in
            let subject = subjects[position]
            let done = counters[position]
            let rate = shape.operations / median(times[position]) * 1e-9
            return Row(
                shape: shape, algorithm: "\(subject.variant.algorithm)", estimate: "\(subject.variant.estimate)",
                skipThreshold: subject.variant.algorithm == .vsa ? subject.variant.skipThreshold : nil,
                mode: subject.products.mode, precision: "\(subject.products)",
                instructionSet: instructionSet.description, workers: workers, repetitions: times[position].count,
                gigaflops: rate, bestGigaflops: shape.operations / times[position].min()! * 1e-9,
                shareOfLimit: rate / limits[subject.products]!,
                ratioToFA2: ratio(position, to: index(subject.products, fa2)!),
                ratioToC16FA2: index(.bfloat16, fa2).map { ratio(position, to: $0) },
                relativeError: truths[subject.kernel.storage]!.relativeError(of: subject.kernel), tiles: done.tiles,
                rowMaximumTiles: done.rowMaximumTiles, skippedTiles: done.skippedTiles, redoneTiles: done.redoneTiles,
                rescales: done.rescales, fallbackRows: done.fallbackRows)
        }
    }

    private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

/// One head of normal numbers, and its attention in double precision.
private struct Truth {
    let tokens: Int
    let width: Int
    let inputs: [BenchmarkOperand]
    let result: [Double]

    init(_ shape: AttentionBenchmark.Shape, storage: ElementType) {
        tokens = min(shape.tokens, 1024)
        width = shape.width
        let count = tokens * width
        inputs = (1...3).map { BenchmarkOperand(count: count, type: storage, seed: $0) }
        result =
            ReferenceAttention(
                queries: tokens, keys: tokens, width: width, scale: 1 / Double(width).squareRoot()
            ).forward(q: inputs[0].values, k: inputs[1].values, v: inputs[2].values).o
    }

    /// |o − truth| / |truth| of a kernel with its options, on this head.
    func relativeError(of kernel: AttentionKernel) -> Double {
        var one = AttentionKernel(
            batch: 1, heads: 1, tokens: tokens, width: width, storage: kernel.storage, products: kernel.products,
            algorithm: kernel.algorithm, instructionSet: kernel.instructionSet)
        one.estimate = kernel.estimate
        one.skipThreshold = kernel.skipThreshold
        let o = BenchmarkOperand(count: tokens * width, type: kernel.storage, seed: nil)
        let operands = (inputs + [o]).map {
            AttentionOperand.headsTokens($0.pointer, tokens: tokens, heads: 1, width: width)
        }
        _ = withExtendedLifetime((inputs, o)) {
            one.forward(q: operands[0], k: operands[1], v: operands[2], into: operands[3])
        }
        var (difference, norm) = (0.0, 0.0)
        for (value, expected) in zip(o.values, result) {
            difference += (value - expected) * (value - expected)
            norm += expected * expected
        }
        return (difference / norm).squareRoot()
    }
}

extension AttentionProducts {
    /// The paper's name: C, bits of the matrix products, and V, bits of the softmax's arithmetic. With 8-bit products the
    /// exponentials are computed in 16-bit integers from float32 scores.
    public var mode: String {
        switch self {
        case .float32: "C32V32"
        case .bfloat16: "C16V32"
        case .int8: "C8V32"
        case .int8BFloat16: "C8/16V32"
        }
    }
}
