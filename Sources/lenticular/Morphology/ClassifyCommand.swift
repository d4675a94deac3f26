import ArgumentParser
import AstroIO
import Datasets
import Foundation
import Inference
import Models
import Pipelines
import Tensors

struct ClassifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify",
        abstract: "Say what galaxies look like: classes, labels or vote fractions with calibrated probabilities.",
        discussion: """
            Writes OUT/catalog.fits and .ecsv (a row an image), contact_sheet.png (images sorted by class), failures.ecsv (what \
            could not be read) and provenance.json.

              lenticular classify IMAGES --model morphology-class5 --output OUT

            Exit status: 0 all images used; 3 finished, some could not be used; 130 interrupted.
            """)

    @Argument(help: "Folders and files to read.")
    var paths: [String]

    @Option(help: "Model by name, or a .safetensors file that train morphology wrote.")
    var model = "morphology-class5"

    @Option(help: "Backbone of a model that does not hold one, by name or file; the one it was trained on by default.")
    var backbone: String?

    @Option(help: "Arithmetic of the backbone's products: float32 or bfloat16.")
    var precision: Precision = .bfloat16

    @Option(help: "Worker threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Thumbnails in the contact sheet; 0 for none.")
    var sheet = 120

    @Option(name: .shortAndLong, help: "Folder for the results.")
    var output: String

    @Flag(help: "Replace earlier results in the same folder.")
    var overwrite = false

    @Flag(name: .shortAndLong, help: "No progress bar and no summary.")
    var quiet = false

    func validate() throws {
        if workers < 1 || !(0...2000).contains(sheet) || precision == .int8 {
            throw ValidationError(
                "workers must be positive, thumbnails at most 2000, and precision float32 or bfloat16")
        }
    }

    func run() throws {
        let results = ClassificationResults(folder: output)
        try results.prepare(overwrite: overwrite)
        let interruption = Interruption()
        let path = try InstalledFiles.model(named: model)
        let classifier = try MorphologyClassifier(path: path, precision: precision) { name in
            let path = try InstalledFiles.model(named: backbone ?? name)
            return (path, try Digest.ofFile(path))
        }
        let objects = try FileDiscovery().objects(in: paths)
        let reader = StampReader(normalization: classifier.backbone.normalization)
        let progress = Progress("classify", total: objects.count, unit: "images", enabled: !quiet)
        let batch = 32
        var classified: [ClassifiedObject] = []
        var failures: [(object: ObjectFiles, error: StampError)] = []
        var stopped = false
        try OrderedStream(readers: max(1, workers / 2), workers: workers).run(
            count: (objects.count + batch - 1) / batch,
            load: { piece in
                objects[(piece * batch)..<min((piece + 1) * batch, objects.count)].map { object in
                    (object, Result { () throws(StampError) in try reader.stamp(of: object) })
                }
            },
            process: { _, loaded in
                let stamps = loaded.map { try? $0.1.get() }
                var answers = classifier.answers(stamps.compactMap { $0?.values }.flatMap { $0 })[...]
                return loaded.map { object, result in
                    (object, result.map { stamp in ClassifiedObject(object, stamp, answers.removeFirst()) })
                }
            },
            write: { piece, results in
                for (object, result) in results {
                    switch result {
                    case .success(let row): classified.append(row)
                    case .failure(let error): failures.append((object, error))
                    }
                }
                progress.update(classified.count + failures.count, failures: failures.count)
                stopped = interruption.requested
                return !stopped
            })
        progress.finish(classified.count + failures.count, failures: failures.count)
        try results.write(
            classified, failures: failures, target: classifier.target, model: (model, try Digest.ofFile(path)),
            sheet: sheet, reader: reader)
        if !quiet {
            print(
                """
                \(classified.count) images classified, \(failures.count) could not be used\(failures.isEmpty ? "" : " (\(output)/failures.ecsv)").
                \(results.counts(classified, classifier.target))
                  \(output)/catalog.fits, catalog.ecsv   a row an image
                  \(output)/contact_sheet.png            sorted by class
                """)
        }
        if stopped { throw ExitCode(130) }
        if !failures.isEmpty { throw ExitCode(3) }
    }
}
