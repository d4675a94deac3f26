public import Kernels
import Synchronization
import Tensors

/// Measures on a backbone's own queries, keys and values what Vector Relieved Flash Attention (VFA, arXiv 2604.12798) relies
/// on: that a row's maximum is nearly reached early, that a cheap estimate comes close to it, and that a maximum frozen after
/// that is good enough; and what skipping blocks below a threshold (BLASST, arXiv 2512.12087) saves and costs.
///
/// ```swift
/// var statistics = AttentionStatistics()
/// statistics.add(AttentionHead.capture(image, in: model), grid: TokenGrid(prefix: 1, rows: 16, columns: 16), pool: pool)
/// print(statistics.report().estimates[0].median)
/// ```
public struct AttentionStatistics: Sendable {
    /// Sizes of tiles and what is tried.
    public struct Settings: Sendable, Codable {
        /// Queries that share a priority tile and the decision to skip a block.
        public var queryTile = 64
        /// Keys that share a representation and are taken together; a multiple of ``keyGroup``.
        public var keyBlock = 64
        /// The priority tile consists of whole groups of this many keys.
        public var keyGroup = 16
        /// Keys of the estimator `sampledKeys`.
        public var sampledKeys = 64
        /// Keys that the 8-bit kernels take together: by the online softmax, and under a frozen maximum.
        public var onlineByteBlock = 512
        public var frozenByteBlock = 256
        /// log₂ λ of skipping, falling.
        public var logThresholds: [Double] = [-4, -6, -8, -10, -12, -14, -16, -18, -20]
        /// By how much needles exceed the row maximum, in units of log₂.
        public var needleOffsets: [Float] = [4, 8, 16, 32, 64, 128, 256]
        /// Tiles of queries of a head whose rows are computed in every format.
        public var accuracyTiles = 2
        /// Of these tiles, those with a needle (in one row each).
        public var needleTiles = 2
        /// Of the random token order and the queries of needles.
        public var seed: UInt64 = 0

        public init() {}

        /// Blocks of so many keys.
        func blocks(_ keys: Int) -> Int { (keys + keyBlock - 1) / keyBlock }

        /// Tiles at regular distances.
        func sampledTiles(of count: Int) -> [Int] {
            let wanted = min(accuracyTiles, count)
            return (0..<wanted).map { (2 * $0 + 1) * count / (2 * wanted) }
        }
    }

    public let settings: Settings
    /// Images studied so far.
    public private(set) var images = 0
    /// Tokens of an image.
    public private(set) var grid: TokenGrid?
    /// By block of the backbone.
    private(set) var layers: [AttentionFindings] = []

    public init(settings: Settings = Settings()) {
        precondition(
            settings.keyBlock % settings.keyGroup == 0,
            "[AttentionStatistics] expected blocks of whole groups, got \(settings.keyBlock) and \(settings.keyGroup)")
        self.settings = settings
    }

    /// Studies the heads of one image.
    ///
    /// - Parameters:
    ///   - heads: by block and head, as ``AttentionHead/capture(_:in:)`` returns them; all images have as many tokens.
    ///   - grid: where the tokens lie.
    ///   - pool: shares the heads.
    public mutating func add(_ heads: [[AttentionHead]], grid: TokenGrid, pool: WorkerPool) {
        precondition(
            heads.allSatisfy { $0.allSatisfy { $0.tokens == grid.tokens } } && (self.grid ?? grid) == grid,
            "[AttentionStatistics] expected heads of \((self.grid ?? grid).tokens) tokens")
        self.grid = grid
        var random = RandomNumbers(seed: settings.seed, stream: UInt64(images))
        let plans = TokenOrder.allCases.map {
            OrderPlan($0, grid: grid, settings: settings, seed: settings.seed &+ UInt64(images))
        }
        let study = HeadStudy(settings: settings, backend: CPUBackend(threads: 1))
        // One piece of work is one head in one order, or its accuracy.
        let work = heads.indices.flatMap { layer in
            heads[layer].indices.flatMap { head in
                (0...plans.count).map { (layer: layer, head: head, plan: $0, random: random.split()) }
            }
        }
        let results = Mutex([AttentionFindings?](repeating: nil, count: work.count))
        pool.parallelFor(work.count) { index in
            let piece = work[index]
            let head = heads[piece.layer][piece.head]
            let findings =
                piece.plan < plans.count
                ? study.findings(of: head, plans[piece.plan])
                : study.accuracy(of: head, plans[0], random: piece.random)
            results.withLock { $0[index] = findings }
        }
        if layers.isEmpty { layers = heads.map { _ in AttentionFindings() } }
        // In a fixed order, so that sums do not depend on threads.
        for (piece, findings) in zip(work, results.withLock { $0 }) { layers[piece.layer] += findings! }
        images += 1
    }
}
