import AstroIO
import Datasets
import Foundation
import Inference
import Kernels
import Models
import Outliers
import Tensors

/// Runs a pipeline: finds the objects, streams them through the network into the run's journal, and makes the tables and
/// pictures from that.
public struct PipelineRunner {
    let specification: PipelineSpecification
    let input: [String]
    let output: RunFolder
    let resume: Bool
    let overwrite: Bool
    let quiet: Bool
    let commandLine: [String]
    let isInterrupted: @Sendable () -> Bool

    /// - Parameters:
    ///   - isInterrupted: asked between batches; true stops the run so that it can be resumed.
    public init(
        specification: PipelineSpecification, input: [String], output: RunFolder, resume: Bool = false,
        overwrite: Bool = false, quiet: Bool = false, commandLine: [String] = [],
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) {
        self.specification = specification
        self.input = input
        self.output = output
        self.resume = resume
        self.overwrite = overwrite
        self.quiet = quiet
        self.commandLine = commandLine
        self.isInterrupted = isInterrupted
    }

    /// What a run came to.
    public struct Summary: Sendable {
        public var objects = 0
        public var failures = 0
        public var interrupted = false
        /// For a person, on standard output.
        public var text = ""
    }

    /// Runs to the end or to an interruption.
    ///
    /// - Throws: `PipelineError` when the run as a whole cannot be made. What goes wrong with one object is a row in the
    ///   failures table.
    public func run() throws(PipelineError) -> Summary {
        let started = Provenance.now()
        var seconds = StageSeconds()
        let load = LoadSettings(specification.stage(.load)!)

        var objects = try seconds.measure("find") { () throws(PipelineError) in
            do throws(DiscoveryError) {
                return try FileDiscovery(recursive: load.recursive, groupsBands: load.groupBands).objects(in: input)
            } catch {
                throw PipelineError(.input, path: error.path, error.reason)
            }
        }
        if load.limit > 0 { objects.removeLast(max(0, objects.count - load.limit)) }
        let list = digest(of: objects)

        let embedding = try specification.stage(.embed).map { stage throws(PipelineError) in
            try EmbeddingStage(EmbedSettings(stage))
        }
        let normalization = try self.normalization(embedding)
        let analyses = try Analyses.all(of: specification, folder: output)
        let continued = try output.prepare(resume: resume, overwrite: overwrite)
        let configuration = specification.yaml()
        if continued {
            try checkContinuation(configuration: configuration, list: list)
        } else {
            try output.write(list + "\n", to: output.work + "/inputs.sha256")
            try output.write(configuration, to: output.configuration)
        }

        let journal = try ObjectJournal(folder: output.work, embeddingWidth: embedding?.embedder.width ?? 0)
        let resumedAfter = journal.count
        let reader = StampReader(normalization: normalization, bands: load.bands, hdu: load.hdu)
        let interrupted = try seconds.measure("embed") { () throws(PipelineError) in
            try stream(
                objects, reader: reader, embedding: embedding, analyses: analyses, readers: load.readers, into: journal)
        }
        var summary = Summary(objects: journal.count, failures: journal.failed)
        if interrupted {
            summary.interrupted = true
            summary.text =
                "Interrupted after \(journal.count) of \(objects.count) objects. Continue with --resume."
            return summary
        }

        var scores: [ScoredObject]?
        if let stage = specification.stage(.score) {
            scores = try seconds.measure("score") { () throws(PipelineError) in
                try OutlierScoring(ScoreSettings(stage), quiet: quiet).score(journal)
            }
        }
        let writer = RunOutputs(
            folder: output, journal: journal, scores: scores, analyses: analyses.flatMap(\.columns))
        try seconds.measure("write") { () throws(PipelineError) in
            if let stage = specification.stage(.catalog) { try writer.writeCatalog(CatalogSettings(stage).formats) }
            if embedding != nil { try writer.writeEmbeddings() }
            try writer.writeFailures()
        }
        if let stage = specification.stage(.contactSheet), let scores {
            try seconds.measure("draw") { () throws(PipelineError) in
                try UnusualObjects(ContactSheetSettings(stage), reader: reader, objects: objects)
                    .draw(journal, scores: scores, into: output, title: title)
            }
        }

        var models: [String: String] = [:]
        for path in analyses.flatMap(\.modelPaths) { models[path] = try Digest.ofFile(path) }
        var configurationDigest = Digest()
        configurationDigest.update(configuration)
        let provenance = Provenance(
            pipeline: specification.name, commandLine: commandLine, seed: specification.seed,
            configurationSHA256: configurationDigest.finish(), model: try embedding?.provenance(),
            otherModels: models.isEmpty ? nil : models,
            input: .init(paths: input, objects: objects.count, listSHA256: list), started: started,
            finished: Provenance.now(), resumedAfter: resumedAfter, objects: summary.objects,
            failures: summary.failures, seconds: seconds.values,
            objectsPerSecond: seconds.values["embed"].map { Double(journal.count - resumedAfter) / max($0, 1e-9) },
            peakMemoryMebibytes: Provenance.peakMemory,
            instructionSet: InstructionSet.best.description)
        try output.write(provenance.json(), to: output.provenance)
        try output.removeWork()
        summary.text = describe(summary, objects: objects.count)
        return summary
    }

    // MARK: - Parts of a run

    private var title: String {
        "The most unusual of \(input.map { ($0 as NSString).lastPathComponent }.joined(separator: ", "))"
    }

    private func digest(of objects: [ObjectFiles]) -> String {
        var digest = Digest()
        for object in objects { digest.update(object.id + "\t" + object.paths.joined(separator: "\t") + "\n") }
        return digest.finish()
    }

    /// The model's normalisation with the run's own crop; without a model, stamps as large as the default model's.
    private func normalization(_ embedding: EmbeddingStage?) throws(PipelineError) -> StampNormalization {
        var normalization =
            embedding?.embedder.normalization
            ?? StampNormalization(size: 64, mean: [0, 0, 0], deviation: [1, 1, 1])
        if let text = specification.stage(.stamp).flatMap({ StampSettings($0).crop }) {
            guard let crop = StampNormalization.Crop(text) else {
                throw PipelineError(
                    .configuration,
                    "crop: expected a fraction (0.7), pixels (128px) or arcsec (20arcsec), got '\(text)'")
            }
            normalization.crop = crop
        }
        return normalization
    }

    private func checkContinuation(configuration: String, list: String) throws(PipelineError) {
        let before = try? String(contentsOfFile: output.configuration, encoding: .utf8)
        guard before == configuration else {
            throw PipelineError(
                .output, path: output.path,
                "the interrupted run had other settings (see run.yaml); say --overwrite to start anew")
        }
        let inputs = try? String(contentsOfFile: output.work + "/inputs.sha256", encoding: .utf8)
        guard inputs == list + "\n" else {
            throw PipelineError(
                .output, path: output.path, "the interrupted run had other input files; say --overwrite to start anew")
        }
    }

    /// One batch on its way: the objects' records and the stamps of those that have one.
    private struct Batch: Sendable {
        var records: [ObjectRecord]
        var stamps: [Float]
        var count: Int
        /// For the analyses, one an object that did not fail.
        var images: [AnalysedObject] = []
    }

    /// Streams the objects that the journal does not have yet.
    ///
    /// - Returns: whether the run was interrupted.
    private func stream(
        _ objects: [ObjectFiles], reader: StampReader, embedding: EmbeddingStage?,
        analyses: [any ObjectAnalysis], readers: Int, into journal: ObjectJournal
    ) throws(PipelineError) -> Bool {
        let first = journal.count
        // Whole images wait for the analyses: fewer at a time.
        let batchSize = analyses.isEmpty ? embedding?.batch ?? 32 : min(embedding?.batch ?? 8, 8)
        let batches = (objects.count - first + batchSize - 1) / batchSize
        let progress = Progress(
            analyses.isEmpty ? (embedding == nil ? "reading  " : "embedding") : "analysing", total: objects.count,
            unit: "objects", startingAt: first,
            enabled: !quiet)
        let roots = input.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        let width = embedding?.embedder.width ?? 0
        let line = OrderedStream(
            readers: readers,
            workers: embedding?.workers ?? (analyses.isEmpty ? 1 : ProcessInfo.processInfo.activeProcessorCount))
        var stopped = false
        do {
            try line.run(
                count: batches,
                load: { index -> Batch in
                    let range = (first + index * batchSize)..<min(first + (index + 1) * batchSize, objects.count)
                    var batch = Batch(records: [], stamps: [], count: 0)
                    for object in objects[range] {
                        var record = ObjectRecord(
                            id: object.id, files: object.paths.map { Self.relative($0, to: roots) })
                        do throws(StampError) {
                            let image = try reader.image(of: object)
                            let stamp = try reader.stamp(of: image, object)
                            if !analyses.isEmpty {
                                batch.images.append(
                                    AnalysedObject(
                                        files: object, image: image, stamp: stamp, normalization: reader.normalization))
                            }
                            record.fill(from: stamp)
                            batch.stamps += stamp.values
                            batch.count += 1
                        } catch {
                            record.failure = .init(stage: error.stage.rawValue, reason: error.reason)
                        }
                        batch.records.append(record)
                    }
                    return batch
                },
                process: { _, batch -> (records: [ObjectRecord], embeddings: [Float]) in
                    var records = batch.records
                    var objects = batch.images.makeIterator()
                    for index in records.indices where records[index].failure == nil {
                        if let object = objects.next() { records[index].analyse(object, by: analyses) }
                    }
                    return (records, embedding?.embedder.embed(batch.stamps, count: batch.count) ?? [])
                },
                write: { _, batch in
                    var row = 0
                    for var record in batch.records {
                        guard record.failure == nil else {
                            try journal.append(record, embedding: nil)
                            continue
                        }
                        let vector = batch.embeddings[(row * width)..<((row + 1) * width)]
                        row += 1
                        if !vector.allSatisfy(\.isFinite) {
                            record.failure = .init(stage: "embed", reason: "the network gave NaN or infinity")
                            try journal.append(record, embedding: nil)
                        } else {
                            try journal.append(record, embedding: vector)
                        }
                    }
                    try journal.flush()
                    progress.update(journal.count, failures: journal.failed)
                    stopped = isInterrupted() && journal.count < objects.count
                    return !stopped
                })
        } catch let error as PipelineError {
            throw error
        } catch {
            throw PipelineError(.output, path: output.path, "\(error)")
        }
        progress.finish(journal.count, failures: journal.failed)
        return stopped
    }

    /// A path as the tables give it: from the input folder on, where it lies below it.
    private static func relative(_ path: String, to roots: [String]) -> String {
        for root in roots where path.hasPrefix(root + "/") { return String(path.dropFirst(root.count + 1)) }
        return path
    }

    private func describe(_ summary: Summary, objects: Int) -> String {
        var lines = ["\(summary.objects) objects, \(summary.failures) failed."]
        func line(_ name: String, _ what: String) {
            if FileManager.default.fileExists(atPath: output.file(name)) {
                lines.append(
                    "  \(output.file(name).padding(toLength: max(44, output.file(name).count + 1), withPad: " ", startingAt: 0)) \(what)"
                )
            }
        }
        line("contact_sheet.png", "the most unusual objects: look here first")
        line("catalog.fits", "one row an object (TOPCAT, astropy)")
        line("catalog.ecsv", "the same as text")
        line("embeddings.fits", "one vector an object")
        line("scores.png", "distribution of the outlier score")
        line("sources", "the sources in each image")
        line("failures.ecsv", summary.failures == 0 ? "empty: every input was used" : "what could not be used, and why")
        line("provenance.json", "how this run was made")
        return lines.joined(separator: "\n")
    }
}

/// Wall-clock time by part of the run.
private struct StageSeconds {
    private(set) var values: [String: Double] = [:]

    mutating func measure<Value>(_ name: String, _ body: () throws(PipelineError) -> Value) throws(PipelineError)
        -> Value
    {
        let start = ContinuousClock.now
        defer { values[name, default: 0] += (ContinuousClock.now - start).seconds }
        return try body()
    }
}

/// The network of a run.
struct EmbeddingStage: Sendable {
    let embedder: Embedder
    let batch: Int
    let workers: Int
    private let name: String
    private let path: String

    init(_ settings: EmbedSettings) throws(PipelineError) {
        path = try InstalledFiles.model(named: settings.model)
        name = settings.model
        batch = settings.batch
        workers = settings.workers > 0 ? settings.workers : ProcessInfo.processInfo.activeProcessorCount
        guard [1, 4, 8].contains(settings.views) else {
            throw PipelineError(.configuration, "embed.views: expected 1, 4 or 8, got \(settings.views)")
        }
        do {
            embedder = try Embedder(
                path: path, precision: settings.precision, attention: settings.attention, order: settings.order,
                views: settings.views)
        } catch {
            throw PipelineError(.model, path: error.path, error.reason)
        }
    }

    func provenance() throws(PipelineError) -> Provenance.Model {
        Provenance.Model(
            name: name, sha256: try Digest.ofFile(path), precision: embedder.execution.precision.rawValue,
            attention: embedder.execution.attention.description, width: embedder.width)
    }
}

extension ObjectRecord {
    /// Adds what the analyses find; one that fails leaves its cells empty and a reason.
    fileprivate mutating func analyse(_ object: AnalysedObject, by analyses: [any ObjectAnalysis]) {
        for analysis in analyses {
            do {
                let cells = try analysis.values(of: object)
                for (column, cell) in zip(analysis.columns, cells) where cell != .missing {
                    values = (values ?? [:]).merging([column.name: cell]) { $1 }
                }
            } catch {
                problems = (problems ?? []) + [Failure(stage: analysis.stage.rawValue, reason: "\(error)")]
            }
        }
    }

    mutating func fill(from stamp: Stamp) {
        ra = stamp.position?.ra
        dec = stamp.position?.dec
        width = stamp.imageWidth
        height = stamp.imageHeight
        bands = stamp.bands
        pixelScale = stamp.pixelScale
        maskFraction = stamp.maskFraction
        flags = stamp.flags.rawValue
    }
}
