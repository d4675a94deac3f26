/// Measures the attention kernels: rate, error against double precision, counters.
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
            self.init(batch: max(1, 16 * 197 / tokens), heads: 6, tokens: tokens, width: width)
        }

        /// Operations of both products: 4 · tokens² · width a head.
        public var operations: Double {
            4 * Double(batch * heads) * Double(tokens) * Double(tokens) * Double(width)
        }
    }

    /// One measurement.
    public struct Row: Sendable, Codable {
        public var shape: Shape
        public var algorithm: String
        public var precision: String
        public var instructionSet: String
        public var workers: Int
        public var repetitions: Int
        /// From the median call and from the fastest, 10⁹ operations a second.
        public var gigaflops: Double
        public var bestGigaflops: Double
        /// To the rate of FA2 in the same precision, measured in turns with it.
        public var ratioToFA2: Double
        /// |o − truth| / |truth| of one head of at most 1024 tokens of normal numbers, in the Euclidean norm.
        public var relativeError: Double
        public var tiles: Int
        public var rowMaximumTiles: Int
        public var rescales: Int
        public var fallbackRows: Int
    }

    public var shapes: [Shape]
    public var precisions: [ElementType]
    public var algorithms: [AttentionAlgorithm]
    public var workers: Int
    /// For each algorithm of a shape and precision.
    public var seconds: Double
    public var instructionSet: InstructionSet

    public init(
        shapes: [Shape], precisions: [ElementType] = [.float32, .bfloat16],
        algorithms: [AttentionAlgorithm] = [.vfa, .fa2], workers: Int, seconds: Double = 1,
        instructionSet: InstructionSet = .best
    ) {
        self.shapes = shapes
        self.precisions = precisions
        self.algorithms = algorithms
        self.workers = workers
        self.seconds = seconds
        self.instructionSet = instructionSet
    }

    /// Measures every shape in every precision; the algorithms of one take turns, call by call.
    ///
    /// - Parameter report: called with each row as it is there.
    public func run(_ report: (Row) -> Void = { _ in }) -> [Row] {
        let pool = WorkerPool(threads: workers)
        var rows: [Row] = []
        for shape in shapes {
            for precision in precisions {
                for row in measure(shape, precision, pool) {
                    report(row)
                    rows.append(row)
                }
            }
        }
        return rows
    }

    private func kernel(
        _ shape: Shape, _ precision: ElementType, _ algorithm: AttentionAlgorithm
    ) -> AttentionKernel {
        AttentionKernel(
            batch: shape.batch, heads: shape.heads, tokens: shape.tokens, width: shape.width, storage: precision,
            algorithm: algorithm, instructionSet: instructionSet)
    }

    private func measure(_ shape: Shape, _ precision: ElementType, _ pool: WorkerPool) -> [Row] {
        let count = shape.batch * shape.tokens * shape.heads * shape.width
        let qkv = Operand(count: 3 * count, type: precision, seed: 1)
        let o = Operand(count: count, type: precision, seed: nil)
        let parts = AttentionOperand.fused(
            qkv.pointer, type: precision, tokens: shape.tokens, heads: shape.heads, width: shape.width)
        let result = AttentionOperand.tokensHeads(
            o.pointer, tokens: shape.tokens, heads: shape.heads, width: shape.width)
        // FA2 is measured in any case, because the others are compared with it.
        let measured = algorithms.contains(.fa2) ? algorithms : algorithms + [.fa2]
        var times = measured.map { _ in [Double]() }
        var counters = measured.map { _ in AttentionKernelCounters() }
        let clock = ContinuousClock()
        for index in measured.indices {
            counters[index] = kernel(shape, precision, measured[index])
                .forward(q: parts.q, k: parts.k, v: parts.v, into: result, pool: pool)
        }
        while times[0].count < 3 || times[0].reduce(0, +) < seconds {
            for index in measured.indices {
                let kernel = kernel(shape, precision, measured[index])
                let start = clock.now
                kernel.forward(q: parts.q, k: parts.k, v: parts.v, into: result, pool: pool)
                times[index].append((clock.now - start) / .seconds(1))
            }
        }
        let medians = times.map { $0.sorted()[$0.count / 2] }
        let online = medians[measured.firstIndex(of: .fa2)!]
        return algorithms.map { algorithm in
            let index = measured.firstIndex(of: algorithm)!
            return Row(
                shape: shape, algorithm: "\(algorithm)", precision: "\(precision)",
                instructionSet: instructionSet.description, workers: workers, repetitions: times[index].count,
                gigaflops: shape.operations / medians[index] * 1e-9,
                bestGigaflops: shape.operations / times[index].min()! * 1e-9, ratioToFA2: online / medians[index],
                relativeError: relativeError(shape, precision, algorithm), tiles: counters[index].tiles,
                rowMaximumTiles: counters[index].rowMaximumTiles, rescales: counters[index].rescales,
                fallbackRows: counters[index].fallbackRows)
        }
    }

    /// Of one head, against ``ReferenceAttention``.
    private func relativeError(_ shape: Shape, _ precision: ElementType, _ algorithm: AttentionAlgorithm) -> Double {
        let tokens = min(shape.tokens, 1024)
        let count = tokens * shape.width
        let (q, k, v) = (
            Operand(count: count, type: precision, seed: 1), Operand(count: count, type: precision, seed: 2),
            Operand(count: count, type: precision, seed: 3)
        )
        let o = Operand(count: count, type: precision, seed: nil)
        func operand(_ memory: Operand) -> AttentionOperand {
            .headsTokens(memory.pointer, tokens: tokens, heads: 1, width: shape.width)
        }
        var kernel = kernel(shape, precision, algorithm)
        (kernel.batch, kernel.heads, kernel.queries, kernel.keys) = (1, 1, tokens, tokens)
        kernel.forward(q: operand(q), k: operand(k), v: operand(v), into: operand(o))
        let truth = ReferenceAttention(
            queries: tokens, keys: tokens, width: shape.width, scale: Double(kernel.scale)
        ).forward(q: q.values, k: k.values, v: v.values).o
        var (difference, norm) = (0.0, 0.0)
        for (value, expected) in zip(o.values, truth) {
            difference += (value - expected) * (value - expected)
            norm += expected * expected
        }
        return (difference / norm).squareRoot()
    }
}

/// Memory of one operand; given back with the last reference.
private final class Operand {
    let pointer: UnsafeMutableRawPointer
    private let count: Int
    private let type: ElementType

    /// - Parameter seed: of normal numbers; zeros when nil.
    init(count: Int, type: ElementType, seed: UInt64?) {
        self.count = count
        self.type = type
        pointer = .allocate(byteCount: count * type.byteCount, alignment: 64)
        var state = seed ?? 0
        for index in 0..<count {
            let value = seed == nil ? 0 : Self.normal(&state)
            switch type {
            case .float32: pointer.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
            case .bfloat16:
                // Nearest, ties upwards: only to have numbers that bfloat16 holds.
                pointer.storeBytes(
                    of: UInt16((value.bitPattern &+ 0x8000) >> 16), toByteOffset: 2 * index, as: UInt16.self)
            }
        }
    }

    deinit { pointer.deallocate() }

    var values: [Double] {
        (0..<count).map { index in
            switch type {
            case .float32: Double(pointer.load(fromByteOffset: 4 * index, as: Float.self))
            case .bfloat16:
                Double(Float(bitPattern: UInt32(pointer.load(fromByteOffset: 2 * index, as: UInt16.self)) << 16))
            }
        }
    }

    /// The sum of twelve uniform numbers (SplitMix64) less six.
    private static func normal(_ state: inout UInt64) -> Float {
        var sum: Float = -6
        for _ in 0..<12 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            sum += Float((z ^ (z >> 31)) >> 40) * 0x1p-24
        }
        return sum
    }
}
