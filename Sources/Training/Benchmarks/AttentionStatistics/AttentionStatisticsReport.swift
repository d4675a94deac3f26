/// The summary of ``AttentionStatistics``. Rows with `layer` nil are over all blocks of the backbone.
public struct AttentionStatisticsReport: Sendable, Encodable {
    /// How early rows come near their maximum, the keys taken in blocks.
    public struct Reach: Sendable, Encodable {
        public var order: TokenOrder
        /// Whether the priority tile goes first, as one block.
        public var priorityFirst: Bool
        public var layer: Int?
        public var rows: Int
        /// Keys of the priority tile, as a share of all.
        public var priorityShare: Double
        /// Within 1 and within 8.
        public var limits: [Limit]
    }

    /// Shares of the keys that were taken when rows first came within a limit of their maximum.
    public struct Limit: Sendable, Encodable {
        /// In units of log₂.
        public var within: Double
        public var mean: Double
        public var median: Double
        public var percentile90: Double
        /// Rows that were there after the priority tile, or after the first keys, as many as the priority tile has.
        public var rowsAfterPriority: Double
        /// For `layer` nil, the share of rows that were there when 0, 1/64, … 1 of the keys were taken.
        public var curve: [Double]?
    }

    /// Distribution of δ = true maximum − estimate, in units of log₂.
    public struct Estimate: Sendable, Encodable {
        public var order: TokenOrder
        public var estimator: MaximumEstimator
        public var layer: Int?
        public var rows: Int
        public var minimum: Double
        public var percentile1: Double
        public var percentile10: Double
        public var median: Double
        public var percentile90: Double
        public var percentile99: Double
        public var maximum: Double
        /// Shares of rows: |δ| ≤ 1.
        public var within1: Double
        /// δ > 1: above the headroom of an 8-bit P.
        public var above1: Double
        /// δ > 8
        public var above8: Double
        /// δ > 16: above the largest float16.
        public var above16: Double
        /// δ < −8: an 8-bit P is zero everywhere.
        public var below8: Double
        /// The sum relative to the estimate is too small for float32 (below keys · 2^−102), or infinite.
        public var guardFailures: Double
        public var overflows: Double
        /// For `layer` nil, share of rows by δ: below −32, [−32, −31), … [31, 32), from 32 on.
        public var histogram: [Double]?
    }

    /// Skipping of blocks in which every row's maximum lies below the frozen maximum by more than −log₂ λ.
    public struct Skipping: Sendable, Encodable {
        public var order: TokenOrder
        /// Where the frozen maximum comes from.
        public var estimator: MaximumEstimator
        public var layer: Int?
        public var rows: Int
        public var logThreshold: Double
        /// Share of all pairs of a query and a key.
        public var skippedShare: Double
        /// Share of rows that fail the guard and are computed again without skipping; they have no error.
        public var fallbackShare: Double
        /// Certified bound of the largest error of a channel, as a share of its range of values.
        public var boundMean: Double
        public var boundMaximum: Double
        /// The error itself, likewise.
        public var errorMean: Double
        public var errorMaximum: Double
        /// √(Σ error² / Σ truth²) over all rows and channels.
        public var relativeError: Double
        /// Rows whose error is above the bound.
        public var boundViolations: Int
    }

    /// Rows computed with a frozen maximum, or the online softmax, and exponentials kept in a format.
    public struct Frozen: Sendable, Encodable {
        public var source: FrozenSource
        public var format: ExponentialFormat
        public var layer: Int?
        /// For planted needles: which, and by how much they exceed the row's maximum.
        public var needle: NeedleKind?
        public var offset: Double?
        public var rows: Int
        /// Shares of rows: with exponentials at the end of the format (of 8 bits: with a block that was computed again for that),
        /// and caught by the guard.
        public var saturated: Double
        public var caught: Double
        /// |o − truth| / |truth| of the rows that the guard let pass; nil where it let none pass.
        public var errorMedian: Double?
        public var errorPercentile99: Double?
        public var errorMaximum: Double?

        /// Rows that are computed again as a whole or, with 8-bit exponentials, in part: the share that the guard catches, and
        /// of 8 bits also that in which a block saturated. (A block that was computed again passes the guard.)
        public var computedAgain: Double { format == .uint8 ? min(1, caught + saturated) : caught }
    }

    public var images: Int
    public var tokens: Int
    public var settings: AttentionStatistics.Settings
    public var reach: [Reach]
    public var estimates: [Estimate]
    public var skipping: [Skipping]
    public var accuracy: [Frozen]
    /// Over all layers only; empty where the priority tile holds all keys.
    public var needles: [Frozen]
}

extension AttentionStatistics {
    /// The figures of all images so far, for each layer and over all.
    public func report() -> AttentionStatisticsReport {
        var all = AttentionFindings()
        for layer in layers { all += layer }
        var report = AttentionStatisticsReport(
            images: images, tokens: grid?.tokens ?? 0, settings: settings, reach: [], estimates: [], skipping: [],
            accuracy: [], needles: [])
        for (layer, findings) in [(nil, all)] + layers.enumerated().map({ ($0.offset as Int?, $0.element) }) {
            for order in TokenOrder.allCases {
                for priorityFirst in [false, true] {
                    if let reach = findings.reach[.init(order: order, priorityFirst: priorityFirst)] {
                        report.reach.append(Self.summary(reach, order, layer))
                    }
                }
                for estimator in MaximumEstimator.allCases {
                    let key = AttentionFindings.Estimate(order: order, estimator: estimator)
                    if let differences = findings.estimates[key] {
                        report.estimates.append(Self.summary(differences, key, layer))
                    }
                    for (threshold, tally) in zip(settings.logThresholds, findings.skipping[key] ?? []) {
                        report.skipping.append(Self.summary(tally, key, layer, threshold))
                    }
                }
            }
            for source in FrozenSource.allCases {
                for format in ExponentialFormat.allCases {
                    if let tally = findings.accuracy[.init(source: source, format: format)] {
                        report.accuracy.append(Self.summary(tally, source, format, layer))
                    }
                }
            }
        }
        for kind in NeedleKind.allCases {
            for source in FrozenSource.allCases {
                for offset in settings.needleOffsets {
                    for format in ExponentialFormat.allCases {
                        let key = AttentionFindings.Needle(kind: kind, source: source, offset: offset, format: format)
                        guard let tally = all.needles[key] else { continue }
                        var row = Self.summary(tally, source, format, nil)
                        (row.needle, row.offset) = (kind, Double(offset))
                        report.needles.append(row)
                    }
                }
            }
        }
        return report
    }

    private static func summary(
        _ reach: MaximumReach, _ order: TokenOrder, _ layer: Int?
    ) -> AttentionStatisticsReport.Reach {
        let limits = MaximumReach.limits.indices.map { index in
            let sorted = reach.shares[index].sorted()
            return AttentionStatisticsReport.Limit(
                within: Double(MaximumReach.limits[index]),
                mean: sorted.reduce(0) { $0 + Double($1) } / Double(sorted.count), median: quantile(sorted, 0.5),
                percentile90: quantile(sorted, 0.9),
                rowsAfterPriority: Double(reach.rowsAfterPriority[index]) / Double(sorted.count),
                curve: layer != nil
                    ? nil : (0...64).map { step in share(sorted.count { $0 <= Float(step) / 64 + 1e-6 }, sorted.count) }
            )
        }
        return AttentionStatisticsReport.Reach(
            order: order, priorityFirst: reach.priorityFirst, layer: layer, rows: reach.rows,
            priorityShare: reach.priorityShare / Double(reach.rows), limits: limits)
    }

    private static func summary(
        _ differences: AttentionFindings.Differences, _ key: AttentionFindings.Estimate, _ layer: Int?
    ) -> AttentionStatisticsReport.Estimate {
        let sorted = differences.values.sorted()
        func rows(_ condition: (Float) -> Bool) -> Double { share(sorted.count(where: condition), sorted.count) }
        var histogram = [Int](repeating: 0, count: 66)
        for value in sorted { histogram[Int(min(max(value.rounded(.down), -33), 32)) + 33] += 1 }
        return AttentionStatisticsReport.Estimate(
            order: key.order, estimator: key.estimator, layer: layer, rows: sorted.count,
            minimum: Double(sorted.first ?? .nan), percentile1: quantile(sorted, 0.01),
            percentile10: quantile(sorted, 0.1), median: quantile(sorted, 0.5), percentile90: quantile(sorted, 0.9),
            percentile99: quantile(sorted, 0.99), maximum: Double(sorted.last ?? .nan),
            within1: rows { $0.magnitude <= 1 }, above1: rows { $0 > 1 }, above8: rows { $0 > 8 },
            above16: rows { $0 > 16 }, below8: rows { $0 < -8 },
            guardFailures: share(differences.guardFailures, sorted.count),
            overflows: share(differences.overflows, sorted.count),
            histogram: layer != nil ? nil : histogram.map { share($0, sorted.count) })
    }

    private static func summary(
        _ tally: SkippingTally, _ key: AttentionFindings.Estimate, _ layer: Int?, _ logThreshold: Double
    ) -> AttentionStatisticsReport.Skipping {
        let kept = Double(max(tally.rows - tally.fallbackRows, 1))
        return AttentionStatisticsReport.Skipping(
            order: key.order, estimator: key.estimator, layer: layer, rows: tally.rows, logThreshold: logThreshold,
            skippedShare: share(tally.skippedPairs, tally.pairs),
            fallbackShare: share(tally.fallbackRows, tally.rows), boundMean: tally.boundSum / kept,
            boundMaximum: tally.boundMaximum, errorMean: tally.errorSum / kept, errorMaximum: tally.errorMaximum,
            relativeError: (tally.squaredError / tally.squaredNorm).squareRoot(), boundViolations: tally.violations)
    }

    private static func summary(
        _ tally: FrozenTally, _ source: FrozenSource, _ format: ExponentialFormat, _ layer: Int?
    ) -> AttentionStatisticsReport.Frozen {
        let sorted = tally.errors.sorted()
        func error(_ q: Double) -> Double? { sorted.isEmpty ? nil : quantile(sorted, q) }
        return AttentionStatisticsReport.Frozen(
            source: source, format: format, layer: layer, needle: nil, offset: nil, rows: tally.rows,
            saturated: share(tally.saturated, tally.rows), caught: share(tally.caught, tally.rows),
            errorMedian: error(0.5), errorPercentile99: error(0.99), errorMaximum: error(1))
    }

    private static func share(_ part: Int, _ whole: Int) -> Double { whole > 0 ? Double(part) / Double(whole) : .nan }

    /// The value below which a share of the sorted values lies: the nearest of them.
    private static func quantile(_ sorted: [some BinaryFloatingPoint], _ q: Double) -> Double {
        sorted.isEmpty ? .nan : Double(sorted[Int((q * Double(sorted.count - 1)).rounded())])
    }
}
