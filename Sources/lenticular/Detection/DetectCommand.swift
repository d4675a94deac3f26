import ArgumentParser
import AstroIO
import Datasets
import Foundation
import ImageProcessing
import Inference
import Pipelines

struct DetectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detect",
        abstract: "Find the sources in images: catalogs, segmentations, and pictures with an ellipse on each source.",
        discussion: """
            Images of any size, in one band or several, with masks and variances where they have them. In a folder, files that differ \
            only in a band (field-g.fits, field-r.fits) are one image; --join makes all the files given one. For each image NAME the output folder gets NAME_sources.fits and .ecsv (SExtractor's \
            column names), NAME_segmentation.fits and NAME_overlay.png.

              lenticular detect --join field-g.fits field-r.fits field-i.fits -o sources
              lenticular detect images/ --method sep --threshold 2 -o sources

            An image that cannot be used becomes a row in failures.ecsv, and the exit status is 3.
            """)

    @Argument(help: "Image files and folders of them.")
    var paths: [String]

    @Option(name: .shortAndLong, help: "Folder for the results.")
    var output: String

    @Flag(help: "The files are the bands of one image.")
    var join = false

    @OptionGroup var detection: DetectionOptions

    @Option(help: "Bands to use, by name (g,r,i); all when not given.")
    var bands: String?

    @Option(help: "Image extension by name or number (0 = primary).")
    var hdu: String?

    @Option(help: "AB magnitude of a flux of 1; from the header (MAGZERO, unit …) when not given.")
    var zeroPoint: Double?

    @Flag(help: "No segmentation images.")
    var noSegmentation = false

    @Flag(help: "No pictures.")
    var noOverlay = false

    @Flag(name: .shortAndLong, help: "No progress bar and no summary.")
    var quiet = false

    func run() throws {
        let interruption = Interruption()
        let detector = try detection.detector()
        let objects = join ? [FileDiscovery.object(joining: paths)] : try FileDiscovery().objects(in: paths)
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let reader = StampReader(
            normalization: StampNormalization(size: 1, mean: [0, 0, 0], deviation: [1, 1, 1]),
            bands: (bands ?? "").split(separator: ",").map { String($0) }, hdu: hdu)
        let progress = Progress("detecting ", total: objects.count, unit: "images", enabled: !quiet)
        var failures: [(id: String, reason: String)] = []
        var (done, found) = (0, 0)
        var names: [String: Int] = [:]
        for object in objects where !interruption.requested {
            do {
                let image = try reader.image(of: object)
                let sources = try detector.detect(in: image)
                found += sources.segmentation.sources.count
                // Images of one name in different folders do not overwrite each other.
                let stem = object.id.split(separator: "/").last.map { String($0) } ?? "image"
                names[stem, default: 0] += 1
                let name = names[stem]! > 1 ? "\(stem)-\(names[stem]!)" : stem
                let writer = DetectionWriter(
                    folder: output, detector: detector.name, zeroPoint: zeroPoint, writesSegmentation: !noSegmentation,
                    writesOverlay: !noOverlay)
                try writer.write(sources, of: image, id: object.id, name: name)
            } catch {
                failures.append((object.id, "\(error)"))
            }
            done += 1
            progress.update(done, failures: failures.count, note: "\(found) sources")
        }
        progress.finish(done, failures: failures.count, note: "\(found) sources")
        try DetectionWriter.write(failures: failures, to: output + "/failures.ecsv")
        if !quiet {
            print("\(found) sources in \(done - failures.count) images: \(output)/*_sources.fits, *_overlay.png")
            for failure in failures.prefix(5) { print("  failed: \(failure.id): \(failure.reason)") }
        }
        if interruption.requested { throw ExitCode(130) }
        if !failures.isEmpty { throw ExitCode(3) }
    }
}
