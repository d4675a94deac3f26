import Kernels
import Models
import Tensors
import Testing
import Training

@Suite struct AttentionStatisticsTests {
    private let backend = CPUBackend(threads: 1)

    private func randomHead(tokens: Int, width: Int, spread: Float = 1, seed: UInt64 = 5) -> AttentionHead {
        var random = RandomNumbers(seed: seed)
        func numbers(_ factor: Float) -> [Float] { (0..<(tokens * width)).map { _ in factor * random.normal() } }
        return AttentionHead(tokens: tokens, width: width, q: numbers(spread), k: numbers(1), v: numbers(1))
    }

    /// 577 tokens whose queries agree on which blocks of 64 keys matter, or none would be skipped for a whole tile.
    private func clusteredHead(spread: Float) -> AttentionHead {
        var head = randomHead(tokens: 577, width: 16, spread: spread)
        var random = RandomNumbers(seed: 6)
        for block in 0..<10 {
            let shift = 3 * random.normal()
            for token in (64 * block)..<min(64 * block + 64, 577) {
                head.q[16 * token] = 2
                head.k[16 * token] += shift
            }
        }
        return head
    }

    private func report(
        _ head: AttentionHead, _ grid: TokenGrid, _ settings: AttentionStatistics.Settings = .init()
    ) -> AttentionStatisticsReport {
        var statistics = AttentionStatistics(settings: settings)
        statistics.add([[head]], grid: grid, pool: WorkerPool(threads: 1))
        return statistics.report()
    }

    private func reach(
        _ report: AttentionStatisticsReport, _ order: TokenOrder, priorityFirst: Bool
    ) throws -> AttentionStatisticsReport.Reach {
        try #require(report.reach.first { $0.layer == nil && $0.order == order && $0.priorityFirst == priorityFirst })
    }

    // MARK: - Orders

    @Test(arguments: [(1, 8, 8), (5, 16, 16), (0, 12, 9), (1, 7, 20)])
    func ordersArePermutationsThatKeepThePrefixInFront(prefix: Int, rows: Int, columns: Int) {
        let grid = TokenGrid(prefix: prefix, rows: rows, columns: columns)
        for order in TokenOrder.allCases {
            let permutation = grid.permutation(order, seed: 3)
            #expect(permutation.sorted() == Array(0..<grid.tokens))
            #expect(Array(permutation[..<prefix]) == Array(0..<prefix))
        }
        #expect(grid.permutation(.rows) == Array(0..<grid.tokens))
        #expect(grid.permutation(.random, seed: 3) != grid.permutation(.random, seed: 4))
    }

    @Test func squaresAndHilbertCurveKeepNeighboursTogether() {
        // 64 places in a row span a square of eight patches in both, and a row of 32 in neither.
        let grid = TokenGrid(prefix: 1, rows: 32, columns: 32)
        for order in [TokenOrder.blocks, .hilbert] {
            let cells = grid.permutation(order)[65..<129].map { $0 - 1 }
            #expect(Set(cells.map { $0 % 32 }).count == 8 && Set(cells.map { $0 / 32 }).count == 8)
        }
    }

    @Test func thePriorityTileIsThatOfTheKernelsRowByRow() {
        // Sink keys [0, 16), and one grid row beside the queries with the corners, rounded to whole groups:
        // 640 − 33 … 704 + 33 → 592 … 752.
        let grid = TokenGrid(prefix: 1, rows: 32, columns: 32)
        let isPriority = grid.priorityGroups(order: grid.permutation(.rows), queries: 640..<704, size: 16)
        #expect(isPriority.indices.filter { isPriority[$0] } == [0] + Array(37..<47))
    }

    // MARK: - Reach

    @Test func amongEqualKeysTheFirstBlockHasTheMaximum() throws {
        let grid = TokenGrid(prefix: 1, rows: 16, columns: 16)
        var head = randomHead(tokens: 257, width: 8)
        head.k = (0..<257).flatMap { _ in head.k[..<8] }
        let report = report(head, grid)
        let row = try reach(report, .rows, priorityFirst: false)
        for limit in row.limits {
            #expect(abs(limit.mean - 64.0 / 257) < 1e-6)
            #expect(limit.rowsAfterPriority == 1)
        }
        // The estimates are exact then, but for rounding: the representation is the key itself.
        for estimate in report.estimates where estimate.layer == nil {
            #expect(abs(estimate.minimum) < 1e-4 && abs(estimate.maximum) < 1e-4)
            #expect(estimate.within1 == 1)
        }
        // Nothing lies below the maximum, so nothing is skipped.
        #expect(report.skipping.allSatisfy { $0.skippedShare == 0 && $0.relativeError == 0 })
    }

    @Test func aNeedleIsReachedWithItsBlock() throws {
        // Score 0 with every key but one, and 20 with that: row by row it is in the fifth block of nine; priority
        // tiles of distant queries do not hold it.
        let grid = TokenGrid(prefix: 1, rows: 24, columns: 24)
        let ones = [Float](repeating: 1, count: 577)
        var keys = [Float](repeating: 0, count: 577)
        keys[300] = 20
        let report = report(AttentionHead(tokens: 577, width: 1, q: ones, k: keys, v: ones), grid)
        let row = try reach(report, .rows, priorityFirst: false)
        #expect(
            row.limits.allSatisfy { abs($0.mean - 320.0 / 577) < 1e-6 && abs($0.percentile90 - 320.0 / 577) < 1e-6 })

        // With the priority tile first, 300 is within a grid row and a patch of queries 275 … 325, and so, with tiles of 64
        // queries and groups of 16 keys, in the tiles of the queries 256 … 319 and 320 … 383 (300 = 320 − 25 + 5, group 18).
        let priority = try reach(report, .rows, priorityFirst: true)
        #expect(abs(priority.limits[0].rowsAfterPriority - 128.0 / 577) < 1e-6)
        let estimate = try #require(
            report.estimates.first { $0.layer == nil && $0.order == .rows && $0.estimator == .priority })
        #expect(abs(estimate.above16 - (1 - 128.0 / 577)) < 1e-6)
        // The representation sees it.
        let initialised = try #require(
            report.estimates.first { $0.layer == nil && $0.order == .rows && $0.estimator == .signedAbsMax })
        #expect(initialised.minimum == 0 && initialised.maximum == 0)
    }

    // MARK: - Estimators

    @Test func representationsAreTheHandComputedOnes() {
        // Keys (1, −5), (−3, 2), (2, 4): abs-max (−3, −5), mean (0, 1/3); then (7, −8) alone.
        let keys: [Float] = [1, -5, -3, 2, 2, 4, 7, -8]
        let head = AttentionHead(tokens: 4, width: 2, q: keys, k: keys, v: keys)
        #expect(KeyRepresentation.signedAbsMax.blocks(of: head, size: 3) == [-3, -5, 7, -8])
        let means = KeyRepresentation.mean.blocks(of: head, size: 3)
        #expect(zip(means, [0, 1.0 / 3, 7, -8] as [Float]).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test func sampledKeysLieAtRegularDistances() {
        // Scores equal their places: of 100 keys 12, 37, 62 and 87, whose mean is 49.5 and deviation 27.95; the largest of
        // 100 normal numbers is expected at 2.508 deviations (2.5076 exactly, David & Nagaraja 2003).
        let scores = (0..<100).map { Float($0) }
        let sampled = SampledScores(scores, count: 4)
        #expect(sampled.maximum == 87)
        #expect(abs(sampled.uncappedExpectedMaximum - (49.5 + 27.95 * 2.508)) < 0.02 * 27.95 * 2.508)
        // The kernels go no further than 1.5 above what they saw, and nowhere if all they saw is alike.
        #expect(sampled.expectedMaximum == 88.5)
        let alike = SampledScores([Float](repeating: 3, count: 100), count: 4)
        #expect(alike.uncappedExpectedMaximum == 3 && alike.expectedMaximum == 3)
        // Scores 0 and 1 in turn: mean 1/2, deviation 1/2, so that the limit is not reached.
        let narrow = SampledScores((0..<64).map { Float($0 % 2) }, count: 64)
        #expect(narrow.expectedMaximum == narrow.uncappedExpectedMaximum && narrow.expectedMaximum > 1)
        let tile = ScoreTile(scores: scores, keys: 100, groupSize: 16, isPriority: Array(repeating: false, count: 7))
        #expect(tile.maxima == [99])
        #expect(tile.maxima(over: [0, 2]) == [47])
        #expect(tile.keyCount([0, 6]) == 20)
    }

    // MARK: - Skipping

    @Test(arguments: [0.1, 0.3, 0.5] as [Float])
    func theCertificateIsNeverBelowTheError(spread: Float) {
        let grid = TokenGrid(prefix: 1, rows: 24, columns: 24)
        let report = report(clusteredHead(spread: spread), grid)
        #expect(report.skipping.count == 2 * 3 * 2 * 9)
        #expect(
            report.skipping.allSatisfy { $0.boundViolations == 0 && $0.errorMaximum <= $0.boundMaximum * (1 + 1e-5) })
        #expect(report.skipping.contains { $0.skippedShare > 0.1 && $0.errorMaximum > 0 })
    }

    @Test func aSkippedBlockCostsItsShareOfTheSum() throws {
        // Two blocks of 64 keys: scores 0 and −10, values 0 and 1. The row's result is 2^−10 / (1 + 2^−10), all of it from
        // the second block; without that it is 0. The bound is c / (1 + c) with c = min(64 λ, 64 · 2^−10) / 64.
        let scores = [Float](repeating: 0, count: 64) + [Float](repeating: -10, count: 64)
        let values = [Float](repeating: 0, count: 64) + [Float](repeating: 1, count: 64)
        let tile = ScoreTile(
            scores: scores, keys: 128, groupSize: 16, isPriority: (0..<8).map { $0 < 4 })
        let sums = BlockSums(tile, values: values, width: 1, groupsPerBlock: 4, backend: backend)
        let tallies = sums.skipping(tile, frozen: [0], logThresholds: [-9, -11], ranges: [1])
        let expected = 0x1p-10 / (1 + 0x1p-10)
        #expect(tallies[0].skippedPairs == 64 && tallies[1].skippedPairs == 0)
        #expect(abs(tallies[0].errorMaximum - expected) < 1e-9)
        #expect(abs(tallies[0].boundMaximum - expected) < 1e-9)
        #expect(tallies[1].errorMaximum == 0 && tallies[0].violations == 0)
    }

    // MARK: - Frozen maxima

    @Test func formatsRoundAndSaturate() {
        #expect(ExponentialFormat.bfloat16.stored(1 + 0x1p-9) == 1)
        #expect(ExponentialFormat.bfloat16.stored(1 + 0x1.8p-8) == 1 + 0x1p-7)
        #expect(ExponentialFormat.float16.stored(1 + 0x1p-12) == 1)
        #expect(ExponentialFormat.float16.stored(65504) == 65504)
        #expect(ExponentialFormat.float16.stored(65536) == .infinity)
        #expect(ExponentialFormat.float16.stored(0x1p-24) == 0x1p-24)
        #expect(ExponentialFormat.float16.stored(0x1p-26) == 0)
        #expect(ExponentialFormat.uint8.stored(1) == 127 && ExponentialFormat.uint8.stored(2) == 254)
        #expect(ExponentialFormat.uint8.stored(4) == 255 && ExponentialFormat.uint8.isSaturated(255))
        #expect(ExponentialFormat.uint8.stored(0x1p-9) == 0)
        #expect(ExponentialFormat.uint8Filled.stored(1) == 255 && ExponentialFormat.uint8Filled.stored(0x1p-8) == 1)
        #expect(!ExponentialFormat.uint8Filled.isSaturated(255))
    }

    @Test func aMaximumThatIsFarOffIsCaughtAndOneThatIsNearIsNot() {
        let head = randomHead(tokens: 65, width: 8)
        let scores = (0..<65).map { Float(head.score(3, head.key($0))) }
        let truth = FrozenRow.truth(scores: scores, values: head.v, width: 8)
        let maximum = scores.max()!
        func row(_ shift: Float, _ format: ExponentialFormat) -> FrozenRow {
            FrozenRow(
                scores: scores, values: head.v, maximum: maximum + shift, blocks: [Array(0..<65)], truth: truth,
                format: format)
        }
        for shift in [-100, -3, 0, 3, 80] as [Float] {
            let exact = row(shift, .float32)
            #expect(!exact.caught && exact.error < 1e-5)
        }
        #expect(row(-130, .float32).caught && row(-130, .float32).saturated)
        #expect(row(110, .float32).caught)
        #expect(!row(-10, .float16).caught && row(-10, .float16).error < 1e-2)
        #expect(row(-17, .float16).caught && row(20, .float16).caught)
        #expect(!row(0, .uint8).caught && !row(0, .uint8).saturated && row(3, .uint8).caught)
        // A block that saturated is computed again with its own maximum, which is the true one here.
        #expect(row(-2, .uint8).saturated && !row(-2, .uint8).caught && row(-2, .uint8).error == row(0, .uint8).error)
    }

    @Test func bytesScaledByBlockKeepWhatAFixedScaleLoses() {
        // One key has score 0 and value 0, 1024 have score −10 and value 1: each holds half the sum. On a fixed scale
        // 255 · 2^−10 is 0, and all of the row is lost; relative to the largest score of their block they are exact.
        let scores: [Float] = [0] + [Float](repeating: -10, count: 1024)
        let values: [Float] = [0] + [Float](repeating: 1, count: 1024)
        let truth = FrozenRow.truth(scores: scores, values: values, width: 1)
        #expect(abs(truth[0] - 0.5) < 1e-12)
        func row(_ maximum: Float?, _ blocks: [[Int]], _ format: ExponentialFormat) -> FrozenRow {
            FrozenRow(scores: scores, values: values, maximum: maximum, blocks: blocks, truth: truth, format: format)
        }
        let far = Array(1...1024)
        #expect(row(0, [[0], far], .uint8Filled).error == 1)
        // Both when the maximum comes first and when it comes last; not when it lies in the same block.
        #expect(row(nil, [[0], far], .uint8Filled).error < 1e-6)
        #expect(row(nil, [far, [0]], .uint8Filled).error < 1e-6)
        #expect(row(nil, [[0] + far], .uint8Filled).error == 1)
    }

    @Test func aBlockThatSaturatesRaisesTheMaximumAndRescalesWhatThereIs() {
        // Four keys of score 0 and value 1, then four of score 4 and value 0: (1 + 2^4)^−1, which bytes hold to 0.8 %
        // (127 / 16 is 7.94, and 8 is kept only where the first block came before the maximum was raised: 127 exactly).
        let scores: [Float] = [0, 0, 0, 0, 4, 4, 4, 4]
        let values: [Float] = [1, 1, 1, 1, 0, 0, 0, 0]
        let truth = FrozenRow.truth(scores: scores, values: values, width: 1)
        #expect(abs(truth[0] - 1.0 / 17) < 1e-12)
        func row(_ maximum: Float, _ blocks: [[Int]]) -> FrozenRow {
            FrozenRow(scores: scores, values: values, maximum: maximum, blocks: blocks, truth: truth, format: .uint8)
        }
        let raised = row(0, [[0, 1, 2, 3], [4, 5, 6, 7]])
        #expect(raised.saturated && !raised.caught && raised.error < 1e-6)
        let known = row(4, [[0, 1, 2, 3], [4, 5, 6, 7]])
        #expect(!known.saturated && !known.caught && abs(known.error - (8 / (8 + 127.0) * 17 - 1)) < 1e-5)
        // One power of 2 too low is within the bit that is free.
        #expect(!row(3, [[0, 1, 2, 3], [4, 5, 6, 7]]).saturated)
    }

    @Test func aNeedleHasTheScoreItWasGivenAndAHiddenOneIsNotSeen() {
        let head = randomHead(tokens: 257, width: 16)
        let plain = PlantedNeedle(.plain, in: head, query: 5, place: 160, score: 90)
        #expect(abs(plain.scores()[160] - 90) < 1e-3)
        #expect(plain.initialisation(size: 64) > 60)
        let hidden = PlantedNeedle(.hidden, in: head, query: 5, place: 160, score: 90)
        #expect(abs(hidden.scores()[160] - 90) < 1e-3 && abs(hidden.scores()[161] + 135) < 1e-3)
        #expect(hidden.initialisation(size: 64) < 60)
    }

    @Test func needlesBreakNarrowFormatsWithoutInitialisationOnly() throws {
        let grid = TokenGrid(prefix: 1, rows: 24, columns: 24)
        let report = report(randomHead(tokens: 577, width: 16), grid)
        func needle(_ source: FrozenSource, _ format: ExponentialFormat) throws -> AttentionStatisticsReport.Frozen {
            try #require(
                report.needles.first {
                    $0.needle == .plain && $0.offset == 64 && $0.source == source && $0.format == format
                })
        }
        #expect(try needle(.priority, .float16).caught == 1)
        #expect(try needle(.priority, .float32).caught == 0)
        #expect(try needle(.initialised, .float16).caught < 1)
        #expect(try needle(.trueMaximum, .float16).caught == 0)
        // 8 bits do the needle's block again, or scale it for itself; no row is sent back.
        #expect(try needle(.priority, .uint8).caught == 0 && needle(.priority, .uint8).computedAgain == 1)
        #expect(try needle(.online, .uint8Filled).computedAgain == 0)
        #expect(report.accuracy.count { $0.layer == nil } == 5 + 3 * 4 + 1)
    }

    // MARK: - Kernels

    @Test func kernelsGiveTheCapturedHeadsResultInEveryOrderOfTheTokens() throws {
        let heads = [clusteredHead(spread: 0.3), clusteredHead(spread: 0.1)]
        var study = AttentionKernelStudy(repetitions: 1, comparedQueries: 100)
        study.add([heads, heads], grid: TokenGrid(prefix: 1, rows: 24, columns: 24), pool: WorkerPool(threads: 1))
        let rows = study.rows()
        // Four algorithms (VFA also along the curve), and VSA with three λ in three orders or with one.
        #expect(rows.count == 3 * (2 * (4 + 9) + 2 * (4 + 1)))
        for row in rows where row.layer == nil {
            // Rounding of each precision, as far as nothing is left out.
            let rounding =
                switch row.products {
                case "float32": 1e-5
                case "bfloat16": 2e-2
                default: 8e-2
                }
            if row.algorithm != "vsa" {
                #expect(row.relativeError < rounding && row.skippedShare == 0)
            } else if row.products == "float32" {
                #expect(try #require(row.channelErrorMaximum) <= #require(row.certificateMaximum) + rounding)
            }
            if row.algorithm == "fa2" { #expect(row.ratioToFA2 == 1 && row.fallbackShare == 0 && row.redoneShare == 0) }
        }
        let sparse = rows.filter { $0.layer == nil && $0.products == "float32" && $0.skipThreshold == 1e-2 }
        #expect(sparse.count == 3 && sparse.contains { $0.skippedShare > 0 })
    }

    @Test func aCapturedHeadIsThatOfTheBackbone() throws {
        let model = try VisionTransformer(
            ViTConfiguration(imageSize: 32, patchSize: 8, width: 16, depth: 2, heads: 2), seed: 1, backend: backend)
        var random = RandomNumbers(seed: 2)
        let image = Tensor.normal([1, 3, 32, 32], standardDeviation: 1, random: &random, on: backend)
        let heads = AttentionHead.capture(image, in: model)
        #expect(heads.count == 2 && heads.allSatisfy { $0.count == 2 && $0.allSatisfy { $0.tokens == 17 } })

        // What the last block's attention mixes, from its captured heads.
        var mixed = [Float](repeating: 0, count: 17 * 16)
        for (index, head) in heads[1].enumerated() {
            for query in 0..<17 {
                let scores = (0..<17).map { Float(head.score(query, head.key($0))) }
                let row = FrozenRow.truth(scores: scores, values: head.v, width: 8)
                for channel in 0..<8 { mixed[query * 16 + index * 8 + channel] = Float(row[channel]) }
            }
        }
        let fused = model.blocks[1].attention.qkv(normed(model, image))
        let expected = fused.attention(heads: 2).floats()
        #expect(zip(mixed, expected).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    /// The input of the last block's attention.
    private func normed(_ model: VisionTransformer, _ image: Tensor) -> Tensor {
        var trunk = model
        trunk.blocks.removeLast()
        trunk.norm = model.blocks.last!.norm1
        return trunk(image)
    }
}
