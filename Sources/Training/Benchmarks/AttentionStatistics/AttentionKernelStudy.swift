public import Kernels
import Synchronization

/// What the attention kernels do with a backbone's own queries, keys and values: their error against double precision, how often
/// they fall back, do again or leave out, and their rate relative to FA2. Random numbers, whose scores are all alike, do not
/// show that.
///
/// ```swift
/// var study = AttentionKernelStudy(repetitions: 3)
/// study.add(AttentionHead.capture(image, in: model), grid: grid, pool: pool)
/// print(study.rows()[0].relativeError)
/// ```
public struct AttentionKernelStudy: Sendable {
    /// What a kernel is asked to do.
    struct Variant: Sendable, Hashable {
        var products: AttentionProducts
        var algorithm: AttentionAlgorithm
        var order = TokenOrder.rows
        /// VSA: λ.
        var skipThreshold: Float?
    }

    /// The figures of one variant, over all layers and heads; `layer` nil is over all blocks of the backbone.
    public struct Row: Sendable, Encodable {
        public var products: String
        public var algorithm: String
        public var order: TokenOrder
        /// VSA: λ.
        public var skipThreshold: Double?
        public var layer: Int?
        /// Rows that failed the guard and were computed again by the online softmax, as a share of all.
        public var fallbackShare: Double
        /// Pairs of a query tile and a key block, of all pairs: those that were done again because an 8-bit exponential
        /// overflowed, and those that VSA left out.
        public var redoneShare: Double
        public var skippedShare: Double
        /// √(Σ error² / Σ truth²) over all rows that were compared, and the largest |o − truth| / |truth| of one of them.
        public var relativeError: Double
        public var errorMaximum: Double
        /// VSA: the certificates of the rows that were not computed again, as shares of a channel's range of values.
        public var certificateMean: Double?
        public var certificateMaximum: Double?
        /// VSA: the error, likewise, of the channel where it is largest; with the rounding of the products.
        public var channelErrorMean: Double?
        public var channelErrorMaximum: Double?
        /// Of the fastest call: the median over layers and images, 10⁹ operations a second.
        public var gigaflops: Double
        /// To the rate of FA2 with the same products, which took turns with it: likewise the median, so that other work on the
        /// machine during one of them does not count.
        public var ratioToFA2: Double
    }

    /// What one variant did.
    struct Tally: Sendable {
        var counters = AttentionKernelCounters()
        var rows = 0
        /// Of each layer and image, from the fastest call: operations a second, and the ratio to those of FA2.
        var rates: [Double] = []
        var ratios: [Double] = []
        var squaredError = 0.0
        var squaredNorm = 0.0
        var errorMaximum = 0.0
        var certified = 0
        var certificateSum = 0.0
        var certificateMaximum = 0.0
        var compared = 0
        var channelErrorSum = 0.0
        var channelErrorMaximum = 0.0

        static func += (a: inout Tally, b: Tally) {
            a.counters += b.counters
            a.rows += b.rows
            a.rates += b.rates
            a.ratios += b.ratios
            a.squaredError += b.squaredError
            a.squaredNorm += b.squaredNorm
            a.errorMaximum = max(a.errorMaximum, b.errorMaximum)
            a.certified += b.certified
            a.certificateSum += b.certificateSum
            a.certificateMaximum = max(a.certificateMaximum, b.certificateMaximum)
            a.compared += b.compared
            a.channelErrorSum += b.channelErrorSum
            a.channelErrorMaximum = max(a.channelErrorMaximum, b.channelErrorMaximum)
        }
    }

    /// Calls of each variant, a layer and image; the fastest counts.
    public let repetitions: Int
    /// Queries of a head, at regular distances, that are compared with double precision.
    public let comparedQueries: Int
    /// λ of VSA; the middle one also with 8-bit products.
    public static let skipThresholds: [Float] = [1e-2, 1e-3, 1e-4]
    /// Images studied so far.
    public private(set) var images = 0
    private var layers: [[Variant: Tally]] = []

    /// - Parameters:
    ///   - repetitions: calls of each variant, a layer and image; the fastest counts.
    ///   - comparedQueries: queries of a head, at regular distances, that are compared with double precision.
    public init(repetitions: Int = 3, comparedQueries: Int = 256) {
        self.repetitions = repetitions
        self.comparedQueries = comparedQueries
    }

    /// By products, FA2 first.
    static let variants: [[Variant]] = AttentionProducts.allCases.map { products in
        var variants = [AttentionAlgorithm.fa2, .fa4, .vfa].map { Variant(products: products, algorithm: $0) }
        variants.append(Variant(products: products, algorithm: .vfa, order: .hilbert))
        let isWide = products == .float32 || products == .bfloat16
        for order in isWide ? [TokenOrder.rows, .blocks, .hilbert] : [.rows] {
            for threshold in isWide ? skipThresholds : [skipThresholds[1]] {
                variants.append(
                    Variant(products: products, algorithm: .vsa, order: order, skipThreshold: threshold))
            }
        }
        return variants
    }

    /// Runs all variants on the heads of one image.
    ///
    /// - Parameters:
    ///   - heads: by block and head, as ``AttentionHead/capture(_:in:)`` returns them.
    ///   - grid: where the tokens lie.
    ///   - pool: shares the work of a call.
    public mutating func add(_ heads: [[AttentionHead]], grid: TokenGrid, pool: WorkerPool) {
        precondition(
            heads.allSatisfy { $0.allSatisfy { $0.tokens == grid.tokens } },
            "[AttentionKernelStudy] expected heads of \(grid.tokens) tokens")
        if layers.isEmpty { layers = heads.map { _ in [:] } }
        for (layer, heads) in heads.enumerated() {
            let calls = KernelCalls(heads, grid: grid, comparedQueries: comparedQueries, pool: pool)
            for variants in Self.variants {
                var tallies = variants.map { calls.tally(of: $0) }
                var fastest = variants.map { _ in Double.infinity }
                for _ in 0..<repetitions {
                    for index in variants.indices {
                        fastest[index] = min(fastest[index], calls.seconds(of: variants[index]))
                    }
                }
                for index in variants.indices {
                    tallies[index].rates = [calls.operations / fastest[index]]
                    tallies[index].ratios = [fastest[0] / fastest[index]]
                    layers[layer][variants[index], default: Tally()] += tallies[index]
                }
            }
        }
        images += 1
    }

    /// The figures over all layers, then for each.
    public func rows() -> [Row] {
        var all: [Variant: Tally] = [:]
        for layer in layers {
            for (variant, tally) in layer { all[variant, default: Tally()] += tally }
        }
        return ([(nil, all)] + layers.enumerated().map { ($0.offset as Int?, $0.element) }).flatMap { layer, tallies in
            Self.variants.flatMap { variants in
                variants.compactMap { variant in
                    tallies[variant].map { Self.row(variant, $0, layer) }
                }
            }
        }
    }

    private static func row(_ variant: Variant, _ tally: Tally, _ layer: Int?) -> Row {
        let isSparse = variant.algorithm == .vsa
        let tiles = Double(max(tally.counters.tiles, 1))
        return Row(
            products: "\(variant.products)", algorithm: "\(variant.algorithm)", order: variant.order,
            // As it was written, not as the nearest Float.
            skipThreshold: variant.skipThreshold.flatMap { Double("\($0)") }, layer: layer,
            fallbackShare: Double(tally.counters.fallbackRows) / Double(tally.rows),
            redoneShare: Double(tally.counters.redoneTiles) / tiles,
            skippedShare: Double(tally.counters.skippedTiles) / tiles,
            relativeError: (tally.squaredError / tally.squaredNorm).squareRoot(), errorMaximum: tally.errorMaximum,
            certificateMean: isSparse ? tally.certificateSum / Double(max(tally.certified, 1)) : nil,
            certificateMaximum: isSparse ? tally.certificateMaximum : nil,
            channelErrorMean: isSparse ? tally.channelErrorSum / Double(tally.compared) : nil,
            channelErrorMaximum: isSparse ? tally.channelErrorMaximum : nil,
            gigaflops: median(tally.rates) * 1e-9, ratioToFA2: median(tally.ratios))
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}

/// The heads of one layer, ready for calls of kernels.
private struct KernelCalls {
    let heads: [AttentionHead]
    let grid: TokenGrid
    let pool: WorkerPool
    /// Of each order: the tokens, and (3, heads, tokens, width) with the tokens in that order.
    let orders: [TokenOrder: (permutation: [Int], qkv: [Float])]
    /// Queries that are compared, with their results (heads, queries, width) in double precision.
    let compared: [Int]
    let truth: [[Double]]
    /// (heads, channels)
    let ranges: [[Float]]

    var width: Int { heads[0].width }

    /// Of both products of a call.
    var operations: Double { 4 * Double(heads.count * width) * Double(grid.tokens) * Double(grid.tokens) }

    init(_ heads: [AttentionHead], grid: TokenGrid, comparedQueries: Int, pool: WorkerPool) {
        self.heads = heads
        self.grid = grid
        self.pool = pool
        var orders: [TokenOrder: (permutation: [Int], qkv: [Float])] = [:]
        for order in [TokenOrder.rows, .blocks, .hilbert] {
            let permutation = grid.permutation(order)
            let moved = heads.map { $0.reordered(by: permutation) }
            orders[order] = (permutation, moved.flatMap(\.q) + moved.flatMap(\.k) + moved.flatMap(\.v))
        }
        self.orders = orders
        let count = min(comparedQueries, grid.tokens)
        let (tokens, width) = (grid.tokens, heads[0].width)
        let compared = (0..<count).map { $0 * tokens / count }
        self.compared = compared
        let results = Mutex([[Double]](repeating: [], count: heads.count))
        pool.parallelFor(heads.count) { index in
            let head = heads[index]
            let reference = ReferenceAttention(queries: count, keys: tokens, width: width, scale: Self.scale)
            let q = compared.flatMap { head.q[($0 * width)..<(($0 + 1) * width)].map(Double.init) }
            let o = reference.forward(q: q, k: head.k.map(Double.init), v: head.v.map(Double.init)).o
            results.withLock { $0[index] = o }
        }
        truth = results.withLock { $0 }
        ranges = heads.map { channelRanges($0.v, width: width) }
    }

    /// Heads keep their queries so that scores are in base 2.
    static let scale = 0.69314718055994530942

    private func kernel(_ variant: AttentionKernelStudy.Variant) -> AttentionKernel {
        var kernel = AttentionKernel(
            batch: 1, heads: heads.count, tokens: grid.tokens, width: width, scale: Float(Self.scale),
            storage: .float32,
            products: variant.products, algorithm: variant.algorithm, leadingTokens: grid.prefix,
            gridWidth: grid.columns, order: variant.order.gridOrder ?? .rows)
        if let threshold = variant.skipThreshold { kernel.skipThreshold = threshold }
        return kernel
    }

    /// Calls a kernel; the result is (heads, tokens, width).
    private func call(
        _ variant: AttentionKernelStudy.Variant, into o: inout [Float], certificates: inout [Float]
    ) -> (counters: AttentionKernelCounters, seconds: Double) {
        let kernel = kernel(variant)
        let (tokens, count) = (grid.tokens, heads.count * grid.tokens * width)
        return orders[variant.order]!.qkv.withUnsafeBufferPointer { qkv in
            o.withUnsafeMutableBufferPointer { o in
                certificates.withUnsafeMutableBufferPointer { certificates in
                    // Operands are mutable pointers, but a kernel only reads the first three.
                    let base = UnsafeMutableRawPointer(mutating: qkv.baseAddress!)
                    func operand(_ pointer: UnsafeMutableRawPointer) -> AttentionOperand {
                        .headsTokens(pointer, tokens: tokens, heads: heads.count, width: width)
                    }
                    let clock = ContinuousClock()
                    let start = clock.now
                    let counters = kernel.forward(
                        q: operand(base), k: operand(base + 4 * count), v: operand(base + 8 * count),
                        into: operand(UnsafeMutableRawPointer(o.baseAddress!)),
                        certificate: certificates.baseAddress, pool: pool)
                    return (counters, (clock.now - start) / .seconds(1))
                }
            }
        }
    }

    func seconds(of variant: AttentionKernelStudy.Variant) -> Double {
        var o = [Float](repeating: 0, count: heads.count * grid.tokens * width)
        var certificates = [Float](repeating: 0, count: heads.count * grid.tokens)
        return call(variant, into: &o, certificates: &certificates).seconds
    }

    /// All but the time.
    func tally(of variant: AttentionKernelStudy.Variant) -> AttentionKernelStudy.Tally {
        let (tokens, width) = (grid.tokens, width)
        var o = [Float](repeating: 0, count: heads.count * tokens * width)
        var certificates = [Float](repeating: 0, count: heads.count * tokens)
        var tally = AttentionKernelStudy.Tally()
        tally.counters = call(variant, into: &o, certificates: &certificates).counters
        tally.rows = heads.count * tokens
        // Rows that were computed again have no certificate, which reads as 0.
        tally.certified = tally.rows - tally.counters.fallbackRows
        for certificate in certificates {
            tally.certificateSum += Double(certificate)
            tally.certificateMaximum = max(tally.certificateMaximum, Double(certificate))
        }
        var places = [Int](repeating: 0, count: tokens)
        for (place, token) in orders[variant.order]!.permutation.enumerated() { places[token] = place }
        for head in heads.indices {
            for (index, token) in compared.enumerated() {
                let start = (head * tokens + places[token]) * width
                var (difference, norm, channelError) = (0.0, 0.0, 0.0)
                for channel in 0..<width {
                    let expected = truth[head][index * width + channel]
                    let d = Double(o[start + channel]) - expected
                    difference += d * d
                    norm += expected * expected
                    channelError = max(
                        channelError, abs(d) / Double(max(ranges[head][channel], .leastNormalMagnitude)))
                }
                tally.squaredError += difference
                tally.squaredNorm += norm
                tally.errorMaximum = max(tally.errorMaximum, (difference / norm).squareRoot())
                tally.compared += 1
                tally.channelErrorSum += channelError
                tally.channelErrorMaximum = max(tally.channelErrorMaximum, channelError)
            }
        }
        return tally
    }
}
