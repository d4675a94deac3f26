import AstroIO
import Figures
import Foundation
import ImageProcessing
import Outliers
import Pipelines

/// Tables and plots of the benchmark.
struct OutlierBenchReport {
    let folder: String
    let methods: [OutlierMethod]
    let contaminations: [Double]
    let primary: Double
    let measurements: [OutlierMeasurement]
    /// Recall at the primary contamination by method, one array over k for each set and seed.
    let sweeps: [OutlierMethod: [[Double]]]
    /// Mean rank correlations of the scores with simple properties.
    let drivers: [OutlierMethod: [Double]]

    private var sets: [String] { measurements.map(\.set).reduce(into: []) { if !$0.contains($1) { $0.append($1) } } }

    func values(
        _ method: OutlierMethod, set: String? = nil, at contamination: Double? = nil,
        _ quantity: (OutlierMeasurement) -> Double
    ) -> [Double] {
        let level = contamination ?? primary
        return measurements.filter {
            $0.method == method && $0.contamination == level && (set == nil || $0.set == set)
        }.map(quantity)
    }

    // MARK: - Terminal

    func text() -> String {
        var lines = [
            "Recall in % at \(percent(primary)) outliers (as many flagged as there are), mean ± 95 % over seeds"
        ]
        let names = TextTable(
            [.init("set", 16)] + methods.map { .init($0.rawValue, 12, right: true) })
        lines.append(names.head)
        for set in sets {
            lines.append(names.row([set] + methods.map { SeedMean(values($0, set: set, \.recall)).percent }))
        }
        lines.append(names.row(["mean"] + methods.map { percent(mean($0, \.recall)) }))
        lines += ["", "Mean over sets"]
        let table = TextTable([
            .init("method", 9), .init("recall", 6, right: true), .init("top 1 %", 7, right: true),
            .init("top 2 %", 7, right: true), .init("top 5 %", 7, right: true), .init("ROC area", 8, right: true),
            .init("train s", 8, right: true), .init("encode s", 8, right: true), .init("search s", 8, right: true),
            .init("best k", 6, right: true),
        ])
        lines.append(table.head)
        for method in methods {
            lines.append(
                table.row([
                    method.rawValue, percent(mean(method, \.recall)), percent(mean(method, \.recallTop1)),
                    percent(mean(method, \.recallTop2)), percent(mean(method, \.recallTop5)),
                    fixed(mean(method, \.area), 3), fixed(mean(method, \.training), 2),
                    fixed(mean(method, \.encoding), 2), fixed(mean(method, \.search), 3), bestK(method),
                ]))
        }
        lines += ["", gains()].filter { !$0.isEmpty || lines.last != "" }
        lines += ["", "Rank correlation of the score with properties of the inliers (what dominates it)"]
        let correlations = TextTable(
            [.init("method", 9)] + ScoreDrivers.names.map { .init($0, 12, right: true) })
        lines.append(correlations.head)
        for method in methods {
            lines.append(correlations.row([method.rawValue] + (drivers[method] ?? []).map { fixed($0, 2) }))
        }
        return lines.joined(separator: "\n")
    }

    /// attcae over the others, as points and as ratios.
    private func gains() -> String {
        guard methods.contains(.attcae) else { return "" }
        let own = mean(.attcae, \.recall)
        let parts = [OutlierMethod.knn, .cae, .backbone].filter(methods.contains).map { method in
            let other = mean(method, \.recall)
            return
                "\(method.rawValue) \(fixed(100 * (own - other), 1)) points (\(fixed(100 * (own / other - 1), 0)) % relative)"
        }
        return "attcae over " + parts.joined(separator: ", over ")
            + "\npaper: 78 %; over knn 53, over cae 22, as points (25 and 56 %) or as ratios (51 and 64 %)"
    }

    private func mean(_ method: OutlierMethod, _ quantity: (OutlierMeasurement) -> Double) -> Double {
        SeedMean(values(method, quantity)).mean
    }

    private func percent(_ value: Double) -> String { value.isFinite ? fixed(100 * value, 1) : "–" }

    /// Mean recall over sets and seeds for each k.
    private func meanSweep(_ method: OutlierMethod) -> [Double] {
        let all = (sweeps[method] ?? []).filter { !$0.isEmpty }
        guard let length = all.map(\.count).min() else { return [] }
        return (0..<length).map { k in all.reduce(0) { $0 + $1[k] } / Double(all.count) }
    }

    private func bestK(_ method: OutlierMethod) -> String {
        let sweep = meanSweep(method)
        return sweep.indices.max { sweep[$0] < sweep[$1] }.map { String($0 + 1) } ?? "–"
    }

    // MARK: - Files

    /// trials.ecsv, recall.png, contamination.png, neighbours.png and drivers.png.
    func write() throws {
        try Catalog(
            name: "TRIALS",
            columns: [
                Column("set", .string(measurements.map(\.set))),
                Column("method", .string(measurements.map(\.method.rawValue))),
                Column("seed", .int32(measurements.map { Int32($0.seed) })),
                Column(
                    "contamination", .double(measurements.map(\.contamination)), description: "Share of outliers"),
                Column("k", .int32(measurements.map { Int32($0.k) }), description: "Neighbours; 0 without"),
                Column("inliers", .int32(measurements.map { Int32($0.inliers) })),
                Column("outliers", .int32(measurements.map { Int32($0.outliers) })),
                number("recall", "Among as many flagged as there are outliers", \.recall),
                number("recall_top1", "Among the first 1 %", \.recallTop1),
                number("recall_top2", "Among the first 2 %", \.recallTop2),
                number("recall_top5", "Among the first 5 %", \.recallTop5),
                number("roc_area", "Area under the ROC curve", \.area),
                number("training_seconds", "", \.training), number("encoding_seconds", "", \.encoding),
                number("search_seconds", "", \.search),
            ]
        ).write(to: folder + "/trials.ecsv")
        try (text() + "\n").write(toFile: folder + "/report.txt", atomically: true, encoding: .utf8)
        let shades = methods.map { method in sets.map { SeedMean(values(method, set: $0, \.recall)).mean } }
        try HeatMap(
            title: "Recall at \(percent(primary)) % outliers", xLabel: "set", yLabel: "method", columns: sets,
            rows: methods.map(\.rawValue), shades: shades.map { $0.map { $0.isFinite ? $0 : 0 } },
            texts: shades.map { $0.map { percent($0) } }
        ).draw().writePNG(to: folder + "/recall.png")
        let correlations = methods.map { drivers[$0] ?? [Double](repeating: 0, count: ScoreDrivers.names.count) }
        try HeatMap(
            title: "What a score follows: rank correlation among inliers", xLabel: "property of the stamp",
            yLabel: "method", columns: ScoreDrivers.names, rows: methods.map(\.rawValue),
            shades: correlations.map { $0.map(abs) }, texts: correlations.map { $0.map { fixed($0, 2) } }
        ).draw().writePNG(to: folder + "/drivers.png")
        var plot = Plot(title: "Recall, mean over sets", xLabel: "outliers, % of all", yLabel: "recall, %")
        plot.xIsLogarithmic = true
        plot.xTicks = contaminations.map { 100 * $0 }
        plot.legendPlace = .outside
        // Sets whose rare class is too small for a contamination would change the mean from point to point.
        let complete = sets.filter { set in
            contaminations.allSatisfy { !values(methods[0], set: set, at: $0, \.recall).isEmpty }
        }
        plot.curves = methods.map { method in
            .init(
                method.rawValue, x: contaminations.map { 100 * $0 },
                y: contaminations.map { level in
                    let all = complete.flatMap { values(method, set: $0, at: level, \.recall) }
                    return 100 * SeedMean(all).mean
                }, hasPoints: true)
        }
        try plot.draw().writePNG(to: folder + "/contamination.png")
        var sweep = Plot(
            title: "Recall at \(percent(primary)) % outliers, mean over sets", xLabel: "neighbours k",
            yLabel: "recall, %")
        sweep.legendPlace = .outside
        sweep.curves = methods.filter(\.scoresByNeighbours).map { method in
            let values = meanSweep(method)
            return .init(method.rawValue, x: values.indices.map { Double($0 + 1) }, y: values.map { 100 * $0 })
        }
        try sweep.draw().writePNG(to: folder + "/neighbours.png")
    }

    private func number(
        _ name: String, _ text: String, _ quantity: (OutlierMeasurement) -> Double
    ) -> Column {
        Column(
            name, .double(measurements.map(quantity)), unit: name.hasSuffix("seconds") ? "s" : nil,
            description: text.isEmpty ? nil : text)
    }
}
