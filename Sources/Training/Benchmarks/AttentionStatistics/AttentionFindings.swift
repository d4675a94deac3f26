import Tensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the rows of some heads showed, before it is summarised.
struct AttentionFindings: Sendable {
    struct Reach: Hashable {
        var order: TokenOrder
        var priorityFirst: Bool
    }

    struct Estimate: Hashable {
        var order: TokenOrder
        var estimator: MaximumEstimator
    }

    struct Accuracy: Hashable {
        var source: FrozenSource
        var format: ExponentialFormat
    }

    struct Needle: Hashable {
        var kind: NeedleKind
        var source: FrozenSource
        var offset: Float
        var format: ExponentialFormat
    }

    /// Differences between true maxima and estimates.
    struct Differences: Sendable {
        var values: [Float] = []
        /// Rows whose sum relative to the estimate is too small for float32, or infinite.
        var guardFailures = 0
        var overflows = 0

        static func += (a: inout Differences, b: Differences) {
            a.values += b.values
            a.guardFailures += b.guardFailures
            a.overflows += b.overflows
        }
    }

    var reach: [Reach: MaximumReach] = [:]
    var estimates: [Estimate: Differences] = [:]
    /// For each threshold.
    var skipping: [Estimate: [SkippingTally]] = [:]
    var accuracy: [Accuracy: FrozenTally] = [:]
    var needles: [Needle: FrozenTally] = [:]

    static func += (a: inout AttentionFindings, b: AttentionFindings) {
        func merge<Key: Hashable, Value>(
            _ a: inout [Key: Value], _ b: [Key: Value], _ add: (inout Value, Value) -> Void
        ) {
            for (key, value) in b {
                if a[key] == nil { a[key] = value } else { add(&a[key]!, value) }
            }
        }
        merge(&a.reach, b.reach, +=)
        merge(&a.estimates, b.estimates, +=)
        merge(&a.skipping, b.skipping) { a, b in
            for index in a.indices { a[index] += b[index] }
        }
        merge(&a.accuracy, b.accuracy, +=)
        merge(&a.needles, b.needles, +=)
    }
}

/// The orders of an image's tokens with the priority tile of each tile of queries; the same for all heads.
struct OrderPlan: Sendable {
    let order: TokenOrder
    let permutation: [Int]
    let queryTiles: [Range<Int>]
    /// For each tile of queries and group of keys, whether the group belongs to the priority tile.
    let isPriority: [[Bool]]

    init(_ order: TokenOrder, grid: TokenGrid, settings: AttentionStatistics.Settings, seed: UInt64) {
        self.order = order
        permutation = grid.permutation(order, seed: seed)
        queryTiles = stride(from: 0, to: grid.tokens, by: settings.queryTile).map {
            $0..<min($0 + settings.queryTile, grid.tokens)
        }
        // Random keys have no neighbours: the control counts as many keys as the order of rows takes first.
        let neighbourhood = order == .random ? grid.permutation(.rows) : permutation
        isPriority = queryTiles.map {
            grid.priorityGroups(order: neighbourhood, queries: $0, size: settings.keyGroup)
        }
    }
}

/// The blocks of keys that the 8-bit kernels take for a tile of queries.
struct KeyBlocks {
    /// As the keys lie.
    let online: [[Int]]
    /// The priority tile, then the others as they lie.
    let frozen: [[Int]]

    init(_ tile: ScoreTile, settings: AttentionStatistics.Settings) {
        func cut(_ keys: [Int], _ size: Int) -> [[Int]] {
            stride(from: 0, to: keys.count, by: size).map { Array(keys[$0..<min($0 + size, keys.count)]) }
        }
        online = cut(Array(0..<tile.keys), settings.onlineByteBlock)
        frozen = [tile.keys(of: tile.priorityGroups)] + cut(tile.keys(of: tile.otherGroups), settings.frozenByteBlock)
    }

    subscript(source: FrozenSource) -> [[Int]] { source == .online ? online : frozen }
}

/// The study of one head.
struct HeadStudy {
    let settings: AttentionStatistics.Settings
    let backend: any Backend

    /// Reach, estimates and skipping with the tokens in one order.
    func findings(of head: AttentionHead, _ plan: OrderPlan) -> AttentionFindings {
        var findings = AttentionFindings()
        let head = plan.order == .rows ? head : head.reordered(by: plan.permutation)
        let (tokens, width) = (head.tokens, head.width)
        let keys = Tensor(head.k, shape: [tokens, width], on: backend)
        func represented(_ representation: KeyRepresentation) -> Tensor {
            Tensor(
                representation.blocks(of: head, size: settings.keyBlock), shape: [settings.blocks(tokens), width],
                on: backend)
        }
        let (signedAbsMax, means) = (represented(.signedAbsMax), represented(.mean))
        let ranges = channelRanges(head.v, width: width)
        let groupsPerBlock = settings.keyBlock / settings.keyGroup
        var reach = (plan.order == .random ? [false] : [false, true]).map { MaximumReach(priorityFirst: $0) }

        for (queries, isPriority) in zip(plan.queryTiles, plan.isPriority) {
            let tile = ScoreTile(
                scores: head.scores(queries, with: keys), keys: tokens, groupSize: settings.keyGroup,
                isPriority: isPriority)
            for index in reach.indices { reach[index].add(tile, groupsPerBlock: groupsPerBlock) }
            if plan.order == .random { continue }

            let priority = tile.maxima(over: tile.priorityGroups)
            let sampled = tile.sampled(settings.sampledKeys)
            func larger(_ a: [Float], _ b: [Float]) -> [Float] { zip(a, b).map { max($0, $1) } }
            var estimates: [MaximumEstimator: [Float]] = [
                .signedAbsMax: rowMaxima(
                    head.scores(queries, with: signedAbsMax), columns: settings.blocks(tokens)),
                .blockMean: rowMaxima(head.scores(queries, with: means), columns: settings.blocks(tokens)),
                .sampledKeys: sampled.map(\.maximum), .expectedMaximum: sampled.map(\.expectedMaximum),
                .uncappedExpectedMaximum: sampled.map(\.uncappedExpectedMaximum),
                .sink: tile.maxima(over: [0]), .priority: priority,
            ]
            estimates[.signedAbsMaxAndPriority] = larger(estimates[.signedAbsMax]!, priority)
            estimates[.blockMeanAndPriority] = larger(estimates[.blockMean]!, priority)
            estimates[.sampledKeysAndPriority] = larger(estimates[.sampledKeys]!, priority)
            estimates[.expectedMaximumAndPriority] = larger(estimates[.expectedMaximum]!, priority)
            estimates[.uncappedExpectedMaximumAndPriority] = larger(estimates[.uncappedExpectedMaximum]!, priority)

            let sums = BlockSums(tile, values: head.v, width: width, groupsPerBlock: groupsPerBlock, backend: backend)
            let rowSums = sums.rowSums(rows: tile.rows)
            for (estimator, estimate) in estimates {
                let key = AttentionFindings.Estimate(order: plan.order, estimator: estimator)
                for row in 0..<tile.rows {
                    let difference = tile.maxima[row] - estimate[row]
                    let logSum = log2(rowSums[row]) + Double(difference)
                    findings.estimates[key, default: .init()].values.append(difference)
                    if logSum < log2(Double(tokens)) - 102 { findings.estimates[key]!.guardFailures += 1 }
                    if logSum >= 128 { findings.estimates[key]!.overflows += 1 }
                }
                guard [.priority, .signedAbsMaxAndPriority].contains(estimator) else { continue }
                let tallies = sums.skipping(
                    tile, frozen: estimate, logThresholds: settings.logThresholds, ranges: ranges)
                if findings.skipping[key] == nil {
                    findings.skipping[key] = tallies
                } else {
                    for index in tallies.indices { findings.skipping[key]![index] += tallies[index] }
                }
            }
        }
        for part in reach {
            findings.reach[.init(order: plan.order, priorityFirst: part.priorityFirst)] = part
        }
        return findings
    }

    /// Errors of rows with a frozen maximum or the online softmax, as they are and with needles, in the order of rows.
    ///
    /// - Parameter random: chooses the queries of needles.
    func accuracy(of head: AttentionHead, _ plan: OrderPlan, random: RandomNumbers) -> AttentionFindings {
        var findings = AttentionFindings()
        var random = random
        let width = head.width
        let keys = Tensor(head.k, shape: [head.tokens, width], on: backend)
        let representations = Tensor(
            KeyRepresentation.signedAbsMax.blocks(of: head, size: settings.keyBlock),
            shape: [settings.blocks(head.tokens), width], on: backend)

        for (number, tileIndex) in settings.sampledTiles(of: plan.queryTiles.count).enumerated() {
            let queries = plan.queryTiles[tileIndex]
            let tile = ScoreTile(
                scores: head.scores(queries, with: keys), keys: head.tokens, groupSize: settings.keyGroup,
                isPriority: plan.isPriority[tileIndex])
            let priority = tile.maxima(over: tile.priorityGroups)
            let initialised = zip(
                priority,
                rowMaxima(head.scores(queries, with: representations), columns: settings.blocks(head.tokens))
            ).map { max($0, $1) }
            let blocks = KeyBlocks(tile, settings: settings)
            for row in 0..<tile.rows {
                let scores = Array(tile.scores[(row * tile.keys)..<((row + 1) * tile.keys)])
                let truth = FrozenRow.truth(scores: scores, values: head.v, width: width)
                for source in FrozenSource.allCases {
                    let maximum: Float? =
                        switch source {
                        case .trueMaximum: tile.maxima[row]
                        case .priority: priority[row]
                        case .initialised: initialised[row]
                        case .sampled:
                            max(priority[row], SampledScores(scores, count: settings.sampledKeys).expectedMaximum)
                        case .online: nil
                        }
                    for format in ExponentialFormat.allCases where source.isStudied(in: format) {
                        findings.accuracy[.init(source: source, format: format), default: .init()].add(
                            FrozenRow(
                                scores: scores, values: head.v, maximum: maximum, blocks: blocks[source], truth: truth,
                                format: format))
                    }
                }
            }
            // A block in the middle of those outside the priority tile; without one there is nothing to plant into.
            guard tile.otherGroups.count > 1 || tile.keyCount(tile.otherGroups) > 1, number < settings.needleTiles
            else { continue }
            let group = tile.otherGroups[(tile.otherGroups.count - 1) / 2]
            let row = random.integer(below: tile.rows)
            for offset in settings.needleOffsets {
                for kind in NeedleKind.allCases {
                    let needle = PlantedNeedle(
                        kind, in: head, query: queries.lowerBound + row, place: group * settings.keyGroup,
                        score: tile.maxima[row] + offset)
                    add(needle, kind, offset: offset, priority: priority[row], blocks: blocks, to: &findings)
                }
            }
        }
        return findings
    }

    private func add(
        _ needle: PlantedNeedle, _ kind: NeedleKind, offset: Float, priority: Float, blocks: KeyBlocks,
        to findings: inout AttentionFindings
    ) {
        let scores = needle.scores()
        let truth = FrozenRow.truth(scores: scores, values: needle.head.v, width: needle.head.width)
        // Only the representation tells one kind from the other.
        for source in kind == .plain ? FrozenSource.allCases : [.initialised] {
            let maximum: Float? =
                switch source {
                case .trueMaximum: scores.max() ?? 0
                case .priority: priority
                case .initialised: max(priority, needle.initialisation(size: settings.keyBlock))
                case .sampled:
                    max(priority, SampledScores(scores, count: settings.sampledKeys).expectedMaximum)
                case .online: nil
                }
            for format in ExponentialFormat.allCases where source.isStudied(in: format) {
                findings.needles[
                    .init(kind: kind, source: source, offset: offset, format: format), default: .init()
                ].add(
                    FrozenRow(
                        scores: scores, values: needle.head.v, maximum: maximum, blocks: blocks[source], truth: truth,
                        format: format))
            }
        }
    }
}
