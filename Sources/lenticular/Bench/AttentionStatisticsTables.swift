import Foundation
import Training

/// The figures of `bench attention --statistics` as tables.
struct AttentionStatisticsTables {
    let report: AttentionStatisticsReport

    func print() {
        reach()
        estimates()
        skipping()
        accuracy()
        needles()
    }

    private func reach() {
        head("Share of the keys taken, in blocks, when a row first comes within 1 and within 8 log2 of its maximum")
        let table = TextTable([
            .init("layer", 5), .init("tokens in", 9), .init("first", 8), .init("keys first", 10, right: true),
            .init("≤1: mean", 8, right: true), .init("median", 6, right: true), .init("90 %", 6, right: true),
            .init("rows then", 9, right: true), .init("≤8: mean", 8, right: true), .init("median", 6, right: true),
            .init("90 %", 6, right: true), .init("rows then", 9, right: true),
        ])
        Swift.print(table.head)
        for row in report.reach {
            // Layers one by one for the orders that kernels use.
            if row.layer != nil && (row.order != .rows || !row.priorityFirst) { continue }
            let cells = row.limits.flatMap { limit in
                [limit.mean, limit.median, limit.percentile90, limit.rowsAfterPriority].map { fixed($0, 3) }
            }
            Swift.print(
                table.row(
                    [
                        layer(row.layer), row.order.rawValue, row.priorityFirst ? "priority" : "as lies",
                        fixed(row.priorityShare, 3),
                    ] + cells))
        }
    }

    private func estimates() {
        head("δ = true maximum − estimate, in log2; shares of rows in percent")
        let table = TextTable([
            .init("layer", 5), .init("tokens in", 9), .init("estimate", 28), .init("min", 7, right: true),
            .init("1 %", 7, right: true), .init("10 %", 7, right: true), .init("median", 7, right: true),
            .init("90 %", 7, right: true), .init("99 %", 7, right: true), .init("max", 7, right: true),
            .init("|δ|≤1", 6, right: true), .init("δ>1", 6, right: true), .init("δ>8", 6, right: true),
            .init("δ>16", 6, right: true), .init("δ<−8", 6, right: true), .init("guard", 6, right: true),
            .init("overflow", 8, right: true),
        ])
        Swift.print(table.head)
        for row in report.estimates {
            if row.layer != nil && (row.order != .rows || row.estimator != .signedAbsMaxAndPriority) { continue }
            let quantiles = [
                row.minimum, row.percentile1, row.percentile10, row.median, row.percentile90, row.percentile99,
                row.maximum,
            ].map { fixed($0, 2) }
            let shares = [
                row.within1, row.above1, row.above8, row.above16, row.below8, row.guardFailures, row.overflows,
            ].map { fixed(100 * $0, 2) }
            Swift.print(
                table.row([layer(row.layer), row.order.rawValue, row.estimator.title] + quantiles + shares))
        }
    }

    private func skipping() {
        head("Blocks skipped below λ; certified bound and error as shares of a channel's range of values")
        let table = TextTable([
            .init("layer", 5), .init("tokens in", 9), .init("frozen maximum", 24), .init("log2 λ", 6, right: true),
            .init("skipped", 8, right: true), .init("redone", 7, right: true), .init("bound: mean", 11, right: true),
            .init("max", 8, right: true), .init("error: mean", 11, right: true), .init("max", 8, right: true),
            .init("relative", 8, right: true), .init("above bound", 11, right: true),
        ])
        Swift.print(table.head)
        for row in report.skipping {
            if row.layer != nil && (row.order != .rows || row.logThreshold != -10) { continue }
            Swift.print(
                table.row(
                    [
                        layer(row.layer), row.order.rawValue, row.estimator.title, fixed(row.logThreshold, 0),
                        percent(row.skippedShare, 2), percent(row.fallbackShare, 2),
                    ]
                        + [row.boundMean, row.boundMaximum, row.errorMean, row.errorMaximum, row.relativeError].map(
                            scientific) + [String(row.boundViolations)]))
        }
    }

    private func accuracy() {
        head(
            "Rows by the maximum and the format of P; error |o − truth| / |truth| of those that the guard lets pass"
        )
        let table = TextTable([
            .init("maximum", 11), .init("P in", 11), .init("rows", 7, right: true),
            .init("saturated", 9, right: true), .init("caught", 8, right: true),
            .init("error: median", 13, right: true), .init("99 %", 8, right: true), .init("max", 8, right: true),
        ])
        Swift.print(table.head)
        for row in report.accuracy where row.layer == nil {
            Swift.print(
                table.row(
                    [
                        row.source.title, row.format.rawValue, String(row.rows), percent(row.saturated, 2),
                        percent(row.caught, 2),
                    ] + [row.errorMedian, row.errorPercentile99, row.errorMaximum].map { $0.map(scientific) ?? "" }))
        }
    }

    private func needles() {
        guard !report.needles.isEmpty else {
            Swift.print("\nNo needles: the priority tile holds all keys.")
            return
        }
        head(
            "Rows with a needle so far above their maximum: share that the guard catches (uint8: or with a block done again), "
                + "largest error of those that it lets pass")
        let formats = ExponentialFormat.allCases
        let table = TextTable(
            [.init("needle", 6), .init("above", 5, right: true), .init("maximum", 11), .init("rows", 5, right: true)]
                + formats.flatMap { [.init($0.rawValue, 11, right: true), .init("error", 8, right: true)] })
        Swift.print(table.head)
        for row in report.needles
        where row.format == formats.first(where: { row.source.isStudied(in: $0) }) {
            let cells = formats.flatMap { format in
                let same = report.needles.first {
                    $0.format == format && $0.needle == row.needle && $0.source == row.source
                        && $0.offset == row.offset
                }
                return [same.map { percent($0.computedAgain, 1) } ?? "–", same?.errorMaximum.map(scientific) ?? ""]
            }
            Swift.print(
                table.row(
                    [
                        row.needle?.rawValue ?? "", row.offset.map { fixed($0, 0) } ?? "", row.source.title,
                        String(row.rows),
                    ] + cells))
        }
    }

    private func head(_ text: String) { Swift.print("\n" + text) }

    private func layer(_ layer: Int?) -> String { layer.map { String($0 + 1) } ?? "all" }

    private func percent(_ share: Double, _ decimals: Int) -> String { fixed(100 * share, decimals) + " %" }

    private func scientific(_ value: Double) -> String { value == 0 ? "0" : String(format: "%.1e", value) }
}

extension MaximumEstimator {
    /// In words.
    var title: String {
        switch self {
        case .sink: "sink"
        case .signedAbsMax: "signed abs-max"
        case .blockMean: "block mean"
        case .sampledKeys: "sampled keys"
        case .expectedMaximum: "expected maximum"
        case .priority: "priority"
        case .signedAbsMaxAndPriority: "signed abs-max, priority"
        case .blockMeanAndPriority: "block mean, priority"
        case .sampledKeysAndPriority: "sampled keys, priority"
        case .expectedMaximumAndPriority: "expected maximum, priority"
        case .uncappedExpectedMaximum: "uncapped expected maximum"
        case .uncappedExpectedMaximumAndPriority: "uncapped expected, priority"
        }
    }
}

extension FrozenSource {
    /// In words.
    var title: String {
        switch self {
        case .trueMaximum: "true"
        case .priority: "priority"
        case .initialised: "initialised"
        case .sampled: "sampled"
        case .online: "online"
        }
    }
}
