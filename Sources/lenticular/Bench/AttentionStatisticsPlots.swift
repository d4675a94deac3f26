import Figures
import Foundation
import ImageProcessing
import Training

/// The figures of `bench attention --statistics` as pictures.
struct AttentionStatisticsPlots {
    let report: AttentionStatisticsReport

    private static let orders: [TokenOrder] = [.rows, .blocks, .hilbert]

    /// Writes all pictures; the folder is made if need be.
    func write(to folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func save(_ picture: RGBImage, _ name: String) throws { try picture.writePNG(to: "\(folder)/\(name).png") }
        for (index, limit) in (report.reach.first?.limits ?? []).enumerated() {
            try save(reach(index).draw(), "reach-\(fixed(limit.within, 0))")
        }
        for order in Self.orders { try save(estimators(order).draw(), "estimators-\(order.rawValue)") }
        try save(differences().draw(), "differences")
        try save(skipped().draw(), "skipped")
        try save(certificate().draw(), "certificate")
        if !report.needles.isEmpty { try save(needles().draw(), "needles") }
    }

    private func plot(_ title: String, x: String, y: String) -> Plot {
        var plot = Plot(title: title, xLabel: x, yLabel: y)
        plot.scale = 2
        return plot
    }

    /// Share of rows against share of keys.
    private func reach(_ limit: Int) -> Plot {
        let rows = report.reach.filter { $0.layer == nil }
        let within = rows.first.map { fixed($0.limits[limit].within, 0) } ?? ""
        var plot = plot(
            "Rows within \(within) log₂ of their maximum", x: "share of the keys taken", y: "share of the rows")
        for row in rows {
            let curve = row.limits[limit].curve ?? []
            plot.curves.append(
                .init(
                    row.order == .random
                        ? "random" : row.order.rawValue + (row.priorityFirst ? ", priority first" : ", as it lies"),
                    x: curve.indices.map { Double($0) / Double(curve.count - 1) }, y: curve,
                    color: Self.orders.firstIndex(of: row.order) ?? 3, isDashed: !row.priorityFirst))
        }
        (plot.xRange, plot.yRange, plot.legendPlace) = (0...1, 0...1, .lowerRight)
        return plot
    }

    private func estimators(_ order: TokenOrder) -> BoxPlot {
        let rows = report.estimates.filter { $0.layer == nil && $0.order == order }
        var plot = BoxPlot(
            title: "True maximum − estimate, tokens in order \(order.rawValue)",
            xLabel: "δ / log₂ (line: median, box: 10 to 90 %, whiskers: 1 to 99 %)",
            boxes: rows.map { row in
                .init(
                    row.estimator.title, whiskers: row.percentile1...row.percentile99,
                    box: row.percentile10...row.percentile90, median: row.median,
                    color: [
                        .priority, .sink, .signedAbsMax, .blockMean, .sampledKeys, .expectedMaximum,
                        .uncappedExpectedMaximum,
                    ].contains(row.estimator) ? 5 : 0)
            })
        plot.markers = [0]
        plot.scale = 2
        return plot
    }

    /// Histograms of δ.
    private func differences() -> Plot {
        var plot = plot("True maximum − estimate, tokens row by row", x: "δ / log₂", y: "share of the rows")
        for row in report.estimates
        where row.layer == nil && row.order == .rows
            && [
                .signedAbsMax, .signedAbsMaxAndPriority, .priority, .sampledKeysAndPriority,
                .expectedMaximumAndPriority,
            ]
            .contains(row.estimator)
        {
            let histogram = row.histogram ?? []
            plot.curves.append(
                .init(
                    row.estimator.title, x: histogram.indices.map { Double($0) - 32.5 },
                    y: histogram.map { $0 > 0 ? $0 : .nan }, hasPoints: true))
        }
        let used = plot.curves.flatMap { curve in zip(curve.x, curve.y).filter { $0.1.isFinite }.map(\.0) }
        if let least = used.min(), let most = used.max() { plot.xRange = (least - 1)...(most + 1) }
        plot.yIsLogarithmic = true
        return plot
    }

    private func skipped() -> Plot {
        var plot = plot("Blocks skipped", x: "log₂ λ", y: "share of the pairs of query and key")
        for (index, order) in Self.orders.enumerated() {
            for estimator in [MaximumEstimator.priority, .signedAbsMaxAndPriority] {
                let rows = report.skipping.filter {
                    $0.layer == nil && $0.order == order && $0.estimator == estimator
                }
                plot.curves.append(
                    .init(
                        "\(order.rawValue), m: \(estimator.title)", x: rows.map(\.logThreshold),
                        y: rows.map(\.skippedShare), color: index, isDashed: estimator == .priority, hasPoints: true))
            }
        }
        plot.legendPlace = .upperLeft
        plot.xTicks = report.settings.logThresholds
        return plot
    }

    private func certificate() -> Plot {
        var plot = plot(
            "Certificate and error of skipping, Hilbert order", x: "log₂ λ", y: "share of a channel's range of values")
        for (index, estimator) in [MaximumEstimator.priority, .signedAbsMaxAndPriority].enumerated() {
            let rows = report.skipping.filter { $0.layer == nil && $0.order == .hilbert && $0.estimator == estimator }
            func add(_ name: String, _ values: [Double], dashed: Bool, color: Int) {
                plot.curves.append(
                    .init(
                        "\(name), m: \(estimator.title)", x: rows.map(\.logThreshold),
                        y: values.map { $0 > 0 ? $0 : .nan },
                        color: color, isDashed: dashed, hasPoints: true))
            }
            add("largest bound", rows.map(\.boundMaximum), dashed: true, color: 2 * index)
            add("largest error", rows.map(\.errorMaximum), dashed: false, color: 2 * index)
            add("mean bound", rows.map(\.boundMean), dashed: true, color: 2 * index + 1)
            add("mean error", rows.map(\.errorMean), dashed: false, color: 2 * index + 1)
        }
        (plot.yIsLogarithmic, plot.legendPlace, plot.width) = (true, .outside, 1040)
        plot.xTicks = report.settings.logThresholds
        return plot
    }

    /// Share of the rows that the guard sends back, or with a block that is done again, against the needle's height.
    private func needles() -> Plot {
        var plot = plot(
            "Rows with a needle that are computed again (uint8: a block)", x: "needle above the row's maximum / log₂",
            y: "share of the rows")
        let cases: [(name: String, needle: NeedleKind, source: FrozenSource)] = [
            ("m-initialisation", .plain, .initialised), ("m-initialisation, hidden needle", .hidden, .initialised),
            ("priority only", .plain, .priority),
        ]
        for (color, format) in [ExponentialFormat.float32, .float16, .uint8].enumerated() {
            for (index, item) in cases.enumerated() {
                let rows = report.needles.filter {
                    $0.needle == item.needle && $0.format == format && $0.source == item.source
                }
                plot.curves.append(
                    .init(
                        "\(format.rawValue), \(item.name)", x: rows.map { $0.offset ?? 0 },
                        y: rows.map(\.computedAgain),
                        color: color, isDashed: index == 2, hasPoints: index != 1))
            }
        }
        (plot.xIsLogarithmic, plot.yRange, plot.legendPlace, plot.width) = (true, -0.02...1.02, .outside, 1000)
        plot.xTicks = report.settings.needleOffsets.map { Double($0) }
        return plot
    }
}
