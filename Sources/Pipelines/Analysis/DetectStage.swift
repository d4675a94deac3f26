import AstroIO
import Datasets
import Foundation
import ImageProcessing
import Inference

/// How sources are found.
package struct DetectSettings {
    package static let settings = [
        Setting(
            "method", .text("sep"), choices: ["sep", "network"],
            help: "sep: classical extraction as SExtractor does it; network: a trained network."),
        Setting("model", .text("detection"), help: "The detection network by name, or a .safetensors file."),
        Setting("threshold", .number(1.5), range: 0.1...100, help: "For sep, in units of the noise."),
        Setting("minimum-area", .integer(5), range: 1...10_000, help: "For sep: smallest source, pixels."),
    ]

    package let method: String
    package let model: String
    package let threshold: Double
    package let minimumArea: Int

    package init(_ stage: PipelineSpecification.Stage) {
        method = stage.text("method")
        model = stage.text("model")
        threshold = stage.number("threshold")
        minimumArea = stage.integer("minimum-area")
    }
}

/// Sources in the whole image: `RUN/sources/ID.fits` with SExtractor's names, and their number in the catalog.
struct DetectStage: ObjectAnalysis {
    let stage = StageKind.detect
    let columns = [
        ColumnDescription("n_sources", .int32, ucd: "meta.number", description: "Sources detected in the image"),
        ColumnDescription(
            "sources_loc", .text, ucd: "meta.ref.url", description: "Their catalog, in the run"),
    ]
    let modelPaths: [String]
    private let detector: SourceDetector
    private let folder: String

    init(_ settings: DetectSettings, folder: RunFolder) throws(PipelineError) {
        self.folder = folder.path
        if settings.method == "network" {
            let path = try InstalledFiles.model(named: settings.model)
            // Objects are what runs at the same time.
            do { detector = try .network(path: path, workers: 1) } catch {
                throw PipelineError(.model, path: error.path, error.reason)
            }
            modelPaths = [path]
        } else {
            detector = .sep(
                SourceExtractor.Settings(threshold: settings.threshold, minimumArea: settings.minimumArea))
            modelPaths = []
        }
    }

    func values(of object: AnalysedObject) throws -> [AnalysisValue] {
        let image = object.image
        let sources = try detector.detect(in: image)
        let catalog = try SourceCatalog.table(
            sources, wcs: image.wcs, zeroPoint: PhotometricZeroPoint(of: image), unit: image.unit,
            metadata: [
                CatalogMetadata("IMAGE", object.files.id, comment: "what the sources were found in"),
                CatalogMetadata("DETECTOR", detector.name, comment: "network or sep"),
                CatalogMetadata("CREATOR", "lenticular \(ProgramVersion.current)"),
            ])
        let place = "sources/\(object.files.id.replacing("/", with: "_")).fits"
        try FileManager.default.createDirectory(atPath: folder + "/sources", withIntermediateDirectories: true)
        try catalog.write(to: folder + "/" + place)
        return [.number(Double(sources.segmentation.sources.count)), .text(place)]
    }
}
