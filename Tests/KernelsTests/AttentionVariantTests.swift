import Kernels
import Testing

@Suite("Attention, variants")
struct AttentionVariantTests {
    /// A kernel on dense float32 arrays of one head.
    static func kernel(
        _ tokens: Int, _ width: Int, _ products: AttentionProducts, _ algorithm: AttentionAlgorithm,
        _ set: InstructionSet
    ) -> AttentionKernel {
        AttentionKernel(
            batch: 1, heads: 1, tokens: tokens, width: width, products: products, algorithm: algorithm,
            instructionSet: set)
    }

    @Test("random shapes: every algorithm in every precision is near the truth", arguments: InstructionSet.available)
    func randomShapes(set: InstructionSet) {
        var random = SampleGenerator(seed: 11)
        for _ in 0..<24 {
            let queries = Int.random(in: 1...220, using: &random)
            let width = Int.random(in: 1...128, using: &random)
            let keys = Bool.random(using: &random) ? queries : Int.random(in: 1...300, using: &random)
            let input = AttentionInput.allCases.randomElement(using: &random)!
            let sample = input.sample(heads: 1, queries: queries, keys: keys, width: width, seed: random.next())
            for products in AttentionProducts.allCases {
                var kernel = Self.kernel(queries, width, products, .naive, set)
                kernel.keys = keys
                kernel.skipThreshold = 1e-6
                let truth = AttentionForwardTests.truth(kernel, q: sample.q, k: sample.k, v: sample.v).o
                let plain = relativeError(AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v).o, truth)
                for algorithm in AttentionAlgorithm.allCases {
                    kernel.algorithm = algorithm
                    let run = AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v)
                    let error = relativeError(run.o, truth)
                    // Against the naive twin in the same precision, whose error is the precision's own on this input.
                    let limit = (products == .int8 ? 4 : 2) * plain + AttentionForwardTests.limit(products) / 5
                    #expect(
                        error <= limit,
                        "\(input) \(queries)x\(keys) \(width) \(products) \(algorithm): \(error), naive \(plain)")
                }
            }
        }
    }

    @Test("FA4 rescales less than FA2 and is as exact", arguments: InstructionSet.available)
    func staleMaximum(set: InstructionSet) {
        let sample = AttentionInput.ramped.sample(heads: 1, queries: 700, keys: 700, width: 64, seed: 5)
        var kernel = Self.kernel(700, 64, .float32, .fa2, set)
        let truth = AttentionForwardTests.truth(kernel, q: sample.q, k: sample.k, v: sample.v).o
        let online = AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v)
        kernel.algorithm = .fa4
        let stale = AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v)
        #expect(stale.counters.rescales < online.counters.rescales)
        #expect(stale.counters.rowMaximumTiles == online.counters.rowMaximumTiles)
        #expect(relativeError(stale.o, truth) <= 2 * relativeError(online.o, truth) + 1e-7)
    }

    @Test("every estimate of the maximum gives the same result", arguments: InstructionSet.available)
    func estimates(set: InstructionSet) {
        for input in [AttentionInput.normal, .spiky, .needle, .outlierChannels] {
            let sample = input.sample(heads: 1, queries: 300, keys: 300, width: 48, seed: 9)
            for products in AttentionProducts.allCases {
                var kernel = Self.kernel(300, 48, products, .naive, set)
                let truth = AttentionForwardTests.truth(kernel, q: sample.q, k: sample.k, v: sample.v).o
                let plain = relativeError(AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v).o, truth)
                kernel.algorithm = .vfa
                for estimate in MaximumEstimate.allCases {
                    kernel.estimate = estimate
                    let run = AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v)
                    let limit = (products == .int8 ? 4 : 2) * plain + 1e-6
                    #expect(relativeError(run.o, truth) <= limit, "\(input) \(products) \(estimate)")
                }
            }
        }
    }

    @Test("what VSA leaves out changes a row by no more than its certificate", arguments: InstructionSet.available)
    func certificate(set: InstructionSet) {
        let tokens = 1 + 24 * 24
        let width = 32
        let sample = Self.local(side: 24, width: width, sharpness: 6)
        for order in GridOrder.allCases {
            let input = Self.ordered(sample, order, side: 24, width: width)
            var left = 0
            for threshold in [Float(1e-2), 1e-3, 1e-5] {
                var kernel = Self.kernel(tokens, width, .float32, .vsa, set)
                kernel.order = order
                kernel.skipThreshold = threshold
                let truth = AttentionForwardTests.truth(kernel, q: input.q, k: input.k, v: input.v).o
                var certificates = [Float](repeating: .nan, count: tokens)
                let run = AttentionRun(kernel, q: input.q, k: input.k, v: input.v, certificate: &certificates)
                left += run.counters.skippedTiles
                for channel in 0..<width {
                    let values = stride(from: channel, to: input.v.count, by: width).map { input.v[$0] }
                    let range = Double(values.max()! - values.min()!)
                    for row in 0..<tokens {
                        let error = abs(Double(run.o[row * width + channel]) - truth[row * width + channel])
                        #expect(error <= Double(certificates[row]) * range + 1e-5, "\(order) λ \(threshold) row \(row)")
                    }
                }
                // A tolerance that no certificate passes makes the result exact again.
                kernel.tolerance = 0
                let strict = AttentionRun(kernel, q: input.q, k: input.k, v: input.v, certificate: &certificates)
                #expect(relativeError(strict.o, truth) < 5e-6)
                #expect(certificates.allSatisfy { $0 == 0 })
                #expect((strict.counters.uncertainRows > 0) == (run.counters.skippedTiles > 0))
            }
            #expect(left > 0, "\(order): nothing was left out")
        }
    }

    @Test("orders of the grid are permutations, and VSA leaves out blocks in each")
    func orders() {
        for (width, height) in [(1, 1), (8, 8), (13, 5), (16, 16), (7, 20)] {
            for order in GridOrder.allCases {
                #expect(order.cells(width: width, height: height).sorted() == Array(0..<(width * height)), "\(order)")
            }
        }
        // On a full square the Hilbert curve never jumps.
        let curve = GridOrder.hilbert.cells(width: 16, height: 16)
        for (a, b) in zip(curve, curve.dropFirst()) {
            #expect(abs(a / 16 - b / 16) + abs(a % 16 - b % 16) == 1)
        }
        // Where attention is local, most blocks can be left out in any of them.
        let sample = Self.local(side: 32, width: 32, sharpness: 8)
        for order in GridOrder.allCases {
            let input = Self.ordered(sample, order, side: 32, width: 32)
            var kernel = Self.kernel(1 + 32 * 32, 32, .float32, .vsa, .best)
            kernel.order = order
            let counters = AttentionRun(kernel, q: input.q, k: input.k, v: input.v).counters
            #expect(2 * counters.skippedTiles > counters.tiles, "\(order): \(counters)")
        }
    }

    @Test("65 536 tokens run, in memory that grows with them and not with their square")
    func manyTokens() {
        let (tokens, width) = (65_536, 8)
        var random = SampleGenerator(seed: 8)
        let q = random.normals(tokens * width)
        let k = random.normals(tokens * width)
        let v = random.normals(tokens * width)
        // One row in 4096 against the formula.
        let rows = stride(from: 5, to: tokens, by: 4096)
        let reference = ReferenceAttention(
            queries: rows.underestimatedCount, keys: tokens, width: width, scale: 1 / Double(width).squareRoot())
        let truth = reference.forward(
            q: rows.flatMap { q[($0 * width)..<(($0 + 1) * width)].map(Double.init) }, k: k.map(Double.init),
            v: v.map(Double.init)
        ).o
        let pool = WorkerPool(threads: 2)
        for products in AttentionProducts.allCases {
            for algorithm in [AttentionAlgorithm.fa2, .vfa] {
                let kernel = Self.kernel(tokens, width, products, algorithm, .best)
                let o = AttentionRun(kernel, q: q, k: k, v: v, pool: pool).o
                let error = relativeError(rows.flatMap { o[($0 * width)..<(($0 + 1) * width)] }, truth)
                // The sums are long, and the mean of many values is near 0.
                #expect(error < 10 * AttentionForwardTests.limit(products), "\(products) \(algorithm): \(error)")
                let words = kernel.scratchByteCount
                #expect(words < 64 * tokens * width, "\(products) \(algorithm): \(words) bytes")
            }
        }
    }

    @Test("numbers that are not finite mean what they mean in the formula", arguments: InstructionSet.available)
    func notFinite(set: InstructionSet) {
        let tokens = 150
        let width = 40
        for products in AttentionProducts.allCases {
            for algorithm in AttentionAlgorithm.allCases {
                let kernel = Self.kernel(tokens, width, products, algorithm, set)
                func run(_ change: (inout (q: [Float], k: [Float], v: [Float])) -> Void) -> [Bool] {
                    var sample = AttentionInput.normal.sample(
                        heads: 1, queries: tokens, keys: tokens, width: width, seed: 2)
                    for index in sample.q.indices { sample.q[index] = abs(sample.q[index]) }
                    change(&sample)
                    let o = AttentionRun(kernel, q: sample.q, k: sample.k, v: sample.v).o
                    return (0..<tokens).map { row in o[(row * width)..<((row + 1) * width)].allSatisfy(\.isFinite) }
                }
                // A query that is NaN spoils its own row, a key all rows.
                let query = run { $0.q[30 * width + 3] = .nan }
                #expect(query.indices.allSatisfy { query[$0] == ($0 != 30) }, "\(products) \(algorithm)")
                #expect(run { $0.k[20 * width] = .nan }.allSatisfy { !$0 }, "\(products) \(algorithm)")
                #expect(run { $0.k[20 * width] = .infinity }.allSatisfy { !$0 }, "\(products) \(algorithm)")
                // A key masked by -∞ counts for nothing: all queries are positive there.
                #expect(run { $0.k[20 * width] = -.infinity }.allSatisfy { $0 }, "\(products) \(algorithm)")
                // If all are masked there is nothing to weigh.
                #expect(
                    run { sample in for key in 0..<tokens { sample.k[key * width] = -.infinity } }.allSatisfy { !$0 },
                    "\(products) \(algorithm)")
            }
        }
    }

    // MARK: - Samples

    /// A class token and a grid whose tokens attend to their neighbourhood: queries and keys are random Fourier features of
    /// the place, so that scores fall with distance.
    static func local(side: Int, width: Int, sharpness: Float) -> (q: [Float], k: [Float], v: [Float]) {
        var random = SampleGenerator(seed: 21)
        let waves = (0..<(width / 2)).map { _ in (random.normal() * 0.35, random.normal() * 0.35) }
        let tokens = 1 + side * side
        var features = [Float](repeating: 0, count: tokens * width)
        for cell in 0..<(side * side) {
            for (index, wave) in waves.enumerated() {
                let phase = wave.0 * Float(cell % side) + wave.1 * Float(cell / side)
                features[(cell + 1) * width + 2 * index] = cosine(phase)
                features[(cell + 1) * width + 2 * index + 1] = cosine(phase - .pi / 2)
            }
        }
        return (features.map { $0 * sharpness }, features, random.normals(tokens * width))
    }

    /// The tokens of a grid in another order.
    static func ordered(
        _ sample: (q: [Float], k: [Float], v: [Float]), _ order: GridOrder, side: Int, width: Int
    ) -> (q: [Float], k: [Float], v: [Float]) {
        let rows = [0] + order.cells(width: side, height: side).map { $0 + 1 }
        func moved(_ x: [Float]) -> [Float] { rows.flatMap { x[($0 * width)..<(($0 + 1) * width)] } }
        return (moved(sample.q), moved(sample.k), moved(sample.v))
    }

    private static func cosine(_ x: Float) -> Float {
        // Enough of the series for a sample: reduced to [-π, π].
        let turns = (x / (2 * .pi)).rounded()
        let y = x - turns * 2 * .pi
        let z = y * y
        return 1 - z / 2 + z * z / 24 - z * z * z / 720 + z * z * z * z / 40320 - z * z * z * z * z / 3_628_800
    }
}
