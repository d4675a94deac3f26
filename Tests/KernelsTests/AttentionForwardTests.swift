import Kernels
import Testing

@Suite("Attention, forward")
struct AttentionForwardTests {
    struct Shape: CustomTestStringConvertible {
        var queries: Int
        var keys: Int
        var width: Int
        var testDescription: String { "\(queries)x\(keys), width \(width)" }
    }

    static let shapes =
        [
            (1, 32), (2, 64), (7, 48), (15, 40), (63, 96), (64, 64), (65, 80), (197, 64), (257, 32), (257, 128),
            (513, 64),
        ].map { Shape(queries: $0.0, keys: $0.0, width: $0.1) } + [
            Shape(queries: 33, keys: 100, width: 64), Shape(queries: 100, keys: 9, width: 24),
            Shape(queries: 50, keys: 50, width: 1), Shape(queries: 70, keys: 131, width: 100),
        ]

    /// The truth for a head, from inputs as the kernel sees them.
    static func truth(_ kernel: AttentionKernel, q: [Float], k: [Float], v: [Float]) -> (o: [Double], lse: [Double]) {
        let heads = kernel.batch * kernel.heads
        let reference = ReferenceAttention(
            queries: kernel.queries, keys: kernel.keys, width: kernel.width, scale: Double(kernel.scale))
        var o: [Double] = []
        var lse: [Double] = []
        func part(_ x: [Float], _ head: Int) -> [Double] {
            let count = x.count / heads
            return x[head * count..<(head + 1) * count].map {
                Double(kernel.storage == .bfloat16 ? roundedToBFloat16($0) : $0)
            }
        }
        for head in 0..<heads {
            let result = reference.forward(q: part(q, head), k: part(k, head), v: part(v, head))
            o += result.o
            lse += result.logSumExp
        }
        return (o, lse)
    }

    /// The relative error that normal numbers may have: a few units of the factors' last place; with 8 bits, of which scores
    /// and probabilities lose some each, 5 %.
    static func limit(_ products: AttentionProducts) -> Double {
        switch products {
        case .float32: 5e-6
        case .bfloat16: 1.5e-2
        case .int8BFloat16: 3e-2
        case .int8: 6e-2
        }
    }

    @Test("agrees with double precision on every shape", arguments: InstructionSet.available, shapes)
    func agreesOnShapes(set: InstructionSet, shape: Shape) {
        let input = AttentionInput.normal.sample(
            heads: 2, queries: shape.queries, keys: shape.keys, width: shape.width, seed: 1)
        for (storage, products) in [
            (ElementType.float32, AttentionProducts.float32), (.float32, .bfloat16), (.bfloat16, .bfloat16),
            (.float32, .int8), (.bfloat16, .int8), (.bfloat16, .int8BFloat16),
        ] {
            for algorithm in AttentionAlgorithm.allCases {
                let kernel = AttentionKernel(
                    batch: 1, heads: 2, tokens: shape.queries, keys: shape.keys, width: shape.width, storage: storage,
                    products: products, algorithm: algorithm, instructionSet: set)
                let run = AttentionRun(kernel, q: input.q, k: input.k, v: input.v)
                let truth = Self.truth(kernel, q: input.q, k: input.k, v: input.v)
                let limit = Self.limit(products)
                #expect(relativeError(run.o, truth.o) < limit, "\(storage) \(products) \(algorithm)")
                let lseError = zip(run.logSumExp, truth.lse).map { abs(Double($0) - $1) }.max() ?? 0
                #expect(lseError < (products == .float32 ? 1e-4 : 0.1), "\(storage) \(products) \(algorithm)")
            }
        }
    }

    @Test(
        "VFA is at most twice as far from the truth as FA2", arguments: InstructionSet.available,
        AttentionInput.allCases)
    func vfaIsAsExactAsFA2(set: InstructionSet, input: AttentionInput) {
        for (tokens, width) in [(257, 64), (130, 48), (513, 32)] {
            let sample = input.sample(heads: 1, queries: tokens, keys: tokens, width: width, seed: 7)
            for products in AttentionProducts.allCases {
                var kernel = AttentionKernel(
                    batch: 1, heads: 1, tokens: tokens, width: width, products: products, algorithm: .fa2,
                    instructionSet: set)
                let truth = Self.truth(kernel, q: sample.q, k: sample.k, v: sample.v).o
                let online = AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v)
                kernel.algorithm = .vfa
                let frozen = AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v)
                let errors = (relativeError(online.o, truth), relativeError(frozen.o, truth))
                // With 8-bit probabilities a frozen maximum costs bits: a bit is kept free, up to two may be missing.
                let factor = products == .int8 ? 4.0 : 2.0
                #expect(
                    errors.1 <= factor * errors.0 + 1e-7,
                    "\(tokens) \(width) \(products): \(errors), \(frozen.counters)")
                #expect(frozen.counters.rescales == frozen.counters.redoneTiles)
                if products != .int8 { #expect(frozen.counters.redoneTiles == 0) }
                #expect(online.counters.fallbackRows == 0)
                if tokens > 256 && products != .int8 { #expect(online.counters.rescales > 0) }
            }
        }
    }

    @Test("rows whose frozen maximum is too far off are redone, and are right", arguments: InstructionSet.available)
    func fallback(set: InstructionSet) {
        var redone = 0
        for input in AttentionInput.allCases {
            let sample = input.sample(heads: 2, queries: 197, keys: 197, width: 64, seed: 3)
            for products in [AttentionProducts.float32, .bfloat16] {
                var kernel = AttentionKernel(
                    batch: 1, heads: 2, tokens: 197, width: 64, products: products, algorithm: .vfa, instructionSet: set
                )
                kernel.estimate = .none
                let run = AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v)
                redone += run.counters.fallbackRows
                let truth = Self.truth(kernel, q: sample.q, k: sample.k, v: sample.v).o
                #expect(relativeError(run.o, truth) < (products == .float32 ? 1e-4 : 5e-2), "\(input) \(products)")
            }
        }
        #expect(redone > 0)
    }
}
