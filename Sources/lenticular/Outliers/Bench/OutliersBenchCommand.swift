import ArgumentParser
import Figures
import Foundation
import ImageProcessing
import Inference
import Outliers
import Pipelines
import Tensors
import Training

struct OutliersBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outliers",
        abstract: "Compare ways to find outliers on sets with a known rare class.",
        discussion: """
            The comparison of Han et al. 2022 (arXiv 2205.09760), with further methods: one dominant class as inliers, a rare one \
            mixed in; as many objects are flagged as there are outliers. Networks are trained on the mixture itself, without labels; \
            unless --retrain is given one network serves all contaminations, trained at 5 %. Sets are listed in docs/outliers.md.

            Writes OUT/report.txt, trials.ecsv (a row a set, method, seed and contamination), recall.png, contamination.png, \
            neighbours.png, drivers.png, and for each set the most unusual objects (SET_METHOD.png, outliers framed).
            """)

    @Option(help: "Folder with galaxyzoo1, galaxyzoo2, efigi and euclid_q1; sets whose table is absent are left out.")
    var data: String

    @Option(help: "Sets by name, joined by commas; all when not given.")
    var sets: String?

    @Option(help: "Methods by name, joined by commas; all when not given.")
    var methods: String?

    @Option(help: "Seeds: other draws, networks and orders.")
    var seeds: Int?

    @Option(help: "Inliers of a mixture at most.")
    var inliers: Int?

    @Option(help: "Times that an auto-encoder sees each stamp.")
    var epochs: Double?

    @Option(help: "Views of a stamp whose vectors are averaged: 1, 4 or 8.")
    var views = 4

    @Option(help: "Backbone by name or file.")
    var backbone = "default"

    @Option(help: "Worker threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Flag(help: "Four sets, two seeds, short training: a few minutes.")
    var quick = false

    @Flag(help: "Train a network for each contamination.")
    var retrain = false

    @Option(name: .shortAndLong, help: "Folder for the results.")
    var output: String

    @Flag(name: .shortAndLong, help: "No progress.")
    var quiet = false

    private static let quickSets = ["gz1-spirals", "gz2-edge-on", "efigi-irregular", "sim-trails"]

    func validate() throws {
        guard seeds.map({ $0 > 0 }) ?? true, inliers.map({ $0 >= 100 }) ?? true, epochs.map({ $0 > 0 }) ?? true,
            workers > 0, [1, 4, 8].contains(views)
        else {
            throw ValidationError("seeds, epochs and workers must be positive, inliers at least 100, views 1, 4 or 8")
        }
        _ = try (chosenSets(), chosenMethods())
    }

    private func chosenSets() throws -> [OutlierSet] {
        guard let sets else { return OutlierSet.all.filter { !quick || Self.quickSets.contains($0.name) } }
        return try sets.split(separator: ",").map { name in
            guard let set = OutlierSet.all.first(where: { $0.name == name }) else {
                throw ValidationError(
                    "--sets: no '\(name)'; there are \(OutlierSet.all.map(\.name).joined(separator: ", "))")
            }
            return set
        }
    }

    private func chosenMethods() throws -> [OutlierMethod] {
        guard let methods else { return OutlierMethod.allCases }
        return try methods.split(separator: ",").map { name in
            guard let method = OutlierMethod(rawValue: String(name)) else {
                throw ValidationError("--methods: no '\(name)'")
            }
            return method
        }
    }

    func run() throws {
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let settings = OutlierTrial.Settings(
            methods: try chosenMethods(), contaminations: [0.005, 0.01, 0.02, 0.05, 0.1],
            inliers: inliers ?? (quick ? 400 : 700), epochs: epochs ?? (quick ? 10 : 15), views: views,
            workers: workers, retrains: retrain)
        let seeds = seeds ?? (quick ? 2 : 5)
        let embedder = try Embedder(
            path: InstalledFiles.model(named: backbone), precision: .bfloat16, views: views)
        var measurements: [OutlierMeasurement] = []
        var sweeps: [OutlierMethod: [[Double]]] = [:]
        var drivers: [OutlierMethod: [[Double]]] = [:]
        for set in try chosenSets() {
            if case .table(let table, _) = set.source, !FileManager.default.fileExists(atPath: data + "/" + table) {
                print("\(set.name): no \(data)/\(table), left out")
                continue
            }
            let pool = try OutlierPool(
                set, data: data, embedder: embedder, most: (settings.inliers * 10 / 7, 300), workers: workers,
                quiet: quiet)
            if !quiet {
                print(
                    "\(set.name): \(pool.inliers) \(set.dominant), \(pool.outliers) \(set.rare); \(pool.leftOut) defects left out"
                )
            }
            for seed in 1...seeds {
                let trial = OutlierTrial(
                    set: set, pool: pool, embedder: embedder, settings: settings, seed: seed)
                let progress = Progress(
                    "  seed \(seed)", total: settings.methods.count, unit: "methods", enabled: !quiet)
                var done = 0
                let (found, sweep, primary) = try trial.run { name in
                    progress.update(done, note: name)
                    done += 1
                }
                progress.finish(done)
                measurements += found
                for (method, values) in sweep { sweeps[method, default: []].append(values) }
                for (method, values) in Self.drivers(primary, pool) { drivers[method, default: []].append(values) }
                if seed == 1 { try draw(set, primary, pool) }
            }
        }
        guard !measurements.isEmpty else { throw PipelineError(.input, path: data, "has none of the sets") }
        let report = OutlierBenchReport(
            folder: output, methods: settings.methods, contaminations: settings.contaminations,
            primary: settings.primary, measurements: measurements, sweeps: sweeps,
            drivers: drivers.mapValues { all in
                ScoreDrivers.names.indices.map { property in
                    all.reduce(0) { $0 + $1[property] } / Double(all.count)
                }
            })
        try report.write()
        print(report.text())
        print("  \(output)/report.txt, trials.ecsv, recall.png, contamination.png, neighbours.png, drivers.png")
    }

    private static func drivers(_ primary: OutlierTrial.Primary, _ pool: OutlierPool) -> [OutlierMethod: [Double]] {
        let places = primary.rows.indices.filter { primary.rows[$0] < pool.inliers }
        let width = pool.raw.width
        let properties = ScoreDrivers(
            .init(
                count: places.count, width: width,
                values: places.flatMap {
                    pool.raw.values[(primary.rows[$0] * width)..<((primary.rows[$0] + 1) * width)]
                }))
        return primary.scores.mapValues { scores in properties.correlations(places.map { scores[$0] }) }
    }

    /// The most unusual objects by attcae and by the backbone.
    private func draw(_ set: OutlierSet, _ primary: OutlierTrial.Primary, _ pool: OutlierPool) throws {
        let rendering = StampRendering(normalization: AutoencoderStamps.raw())
        let width = pool.raw.width
        for method in [OutlierMethod.attcae, .knn, .backbone] {
            guard let scores = primary.scores[method] else { continue }
            let order = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(32)
            let cells = order.enumerated().map { rank, place in
                let row = primary.rows[place]
                return ContactSheet.Cell(
                    picture: rendering.picture(Array(pool.raw.values[(row * width)..<((row + 1) * width)])),
                    badge: String(rank + 1), caption: [pool.names[row]], highlighted: row >= pool.inliers)
            }
            try ContactSheet(
                title: "\(set.name) by \(method.rawValue)",
                note: "the 32 most unusual of \(scores.count); framed: \(set.rare)", columns: 8, thumbnail: 96
            ).draw(cells).writePNG(to: "\(output)/\(set.name)_\(method.rawValue).png")
        }
    }
}
