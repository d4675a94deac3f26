import ArgumentParser
import Datasets
import Foundation
import ImageProcessing
import Inference
import Pipelines
import Tensors
import Training

struct ProbeBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "How well frozen embeddings tell labelled classes apart.",
        discussion: """
            Accuracy of the 15 nearest neighbours (leave one out, cosine) and of a linear classifier (70 % to train, 30 % to \
            judge, over several seeds), for the model's embeddings and for the plain pixels of the stamps averaged to 16 × 16. \
            The label table is a CSV, ECSV, FITS or VOTable with a column of file names or ids.

              lenticular bench probe IMAGES --labels labels.csv --column class5
            """)

    @Argument(help: "Folders and files with the labelled images.")
    var paths: [String]

    @Option(help: "Table with the labels.")
    var labels: String

    @Option(help: "Column with the class; rows without one are left out.")
    var column: String

    @Option(help: "Model by name, or a .safetensors file.")
    var model = "default"

    @Option(help: "Arithmetic of the matrix products: float32, bfloat16 or int8.")
    var precision: Precision = .float32

    @Option(help: "Views of each stamp whose embeddings are averaged: 1, 4 or 8.")
    var views = 1

    @Option(help: "Splits of the linear classifier.")
    var seeds = 5

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    @OptionGroup var json: JSONOption

    struct Figures: Encodable {
        var features: String
        var width: Int
        var neighbourAccuracy: Double
        /// Of a share of so many objects.
        var neighbourStandardError: Double
        var linearAccuracy: Double
        /// Standard deviation over the splits.
        var linearDeviation: Double
    }

    struct Report: Encodable {
        var program = "lenticular \(ProgramVersion.current)"
        var model: String
        var precision: Precision
        var views: Int
        var column: String
        var objects: Int
        var classes: [String: Int]
        var seeds: Int
        var rows: [Figures]
    }

    func validate() throws {
        if ![1, 4, 8].contains(views) { throw ValidationError("--views: expected 1, 4 or 8") }
        if seeds < 1 { throw ValidationError("--seeds: expected at least 1") }
    }

    func run() throws {
        let (objects, labels, names) = try ProbeLabels(path: labels, column: column).labelled(
            FileDiscovery().objects(in: paths))

        let embedder = try Embedder(path: InstalledFiles.model(named: model), precision: precision, views: views)
        let reader = StampReader(normalization: embedder.normalization)
        let progress = Progress("embedding", total: objects.count, unit: "images", enabled: !quiet)
        let side = 16
        var (embeddings, pixels, classes): ([Float], [Float], [Int]) = ([], [], [])
        let batch = 32
        try OrderedStream(readers: 2, workers: ProcessInfo.processInfo.activeProcessorCount).run(
            count: (objects.count + batch - 1) / batch,
            load: { index -> (stamps: [Float], pixels: [Float], classes: [Int]) in
                var result: (stamps: [Float], pixels: [Float], classes: [Int]) = ([], [], [])
                for position in (index * batch)..<min((index + 1) * batch, objects.count) {
                    let object = objects[position]
                    guard let stamp = try? reader.stamp(of: object), let small = try? reader.picture(of: object) else {
                        continue
                    }
                    result.stamps += stamp.values
                    result.pixels += small.resized(width: side, height: side).samples.map { Float($0) / 255 }
                    result.classes.append(labels[position])
                }
                return result
            },
            process: { _, batch in
                (embedder.embed(batch.stamps, count: batch.classes.count), batch.pixels, batch.classes)
            },
            write: { _, batch in
                embeddings += batch.0
                pixels += batch.1
                classes += batch.2
                progress.update(classes.count)
                return true
            })
        progress.finish(classes.count, failures: objects.count - classes.count)

        let rows = [
            try figures("embedding", embeddings, embedder.width, classes),
            try figures("pixels", pixels, 3 * side * side, classes),
        ]
        var counts: [String: Int] = [:]
        for index in classes { counts[names[index], default: 0] += 1 }
        print("\(classes.count) images, \(column): \(names.map { "\($0) \(counts[$0] ?? 0)" }.joined(separator: ", "))")
        let table = TextTable([
            .init("features", 10), .init("width", 6, right: true), .init("15 neighbours", 16, right: true),
            .init("linear", 16, right: true),
        ])
        print(table.head)
        for row in rows {
            print(
                table.row([
                    row.features, String(row.width),
                    "\(fixed(row.neighbourAccuracy, 3)) ± \(fixed(row.neighbourStandardError, 3))",
                    "\(fixed(row.linearAccuracy, 3)) ± \(fixed(row.linearDeviation, 3))",
                ]))
        }
        try json.write(
            Report(
                model: model, precision: precision, views: views, column: column, objects: classes.count,
                classes: counts, seeds: seeds,
                rows: rows))
    }

    private func figures(_ name: String, _ values: [Float], _ width: Int, _ classes: [Int]) throws -> Figures {
        let probe = try EmbeddingProbe(values, width: width, labels: classes, on: CPUBackend(threads: 2))
        let neighbours = probe.nearestNeighbourAccuracy()
        let linear = (0..<seeds).map { probe.linearAccuracy(seed: UInt64($0)) }
        let mean = linear.reduce(0, +) / Double(seeds)
        let squares = linear.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return Figures(
            features: name, width: width, neighbourAccuracy: neighbours,
            neighbourStandardError: (neighbours * (1 - neighbours) / Double(classes.count)).squareRoot(),
            linearAccuracy: mean, linearDeviation: seeds > 1 ? (squares / Double(seeds - 1)).squareRoot() : 0)
    }
}
