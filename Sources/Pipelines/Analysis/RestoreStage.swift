import AstroIO
import Datasets
import Foundation
import Inference
import Models

/// What is to be done to each image.
package struct RestoreSettings {
    package static let settings = [
        Setting("model", .text("restoration"), help: "The restoration network by name, or a .safetensors file."),
        Setting("denoise", .flag(true), help: "Take the noise away."),
        Setting("fill", .flag(true), help: "Fill masked pixels, cosmic rays and trails."),
        Setting("super-resolution", .flag(false), help: "Halve the pixels."),
    ]

    package let model: String
    package let denoises: Bool
    package let fills: Bool
    package let refines: Bool

    package init(_ stage: PipelineSpecification.Stage) {
        model = stage.text("model")
        denoises = stage.flag("denoise")
        fills = stage.flag("fill")
        refines = stage.flag("super-resolution")
    }
}

/// The whole image without its noise and gaps: `RUN/restored/ID.fits`, as `lenticular restore` writes it, and what was done in the catalog.
struct RestoreStage: ObjectAnalysis {
    let stage = StageKind.restore
    let columns = [
        ColumnDescription("restored_loc", .text, ucd: "meta.ref.url", description: "The restored image, in the run"),
        ColumnDescription(
            "restored_flux_ratio", .double, ucd: "arith.ratio;phot.flux",
            description: "Restored over observed flux in apertures of bright sources: the band farthest from 1"),
        ColumnDescription(
            "restored_filled", .int32, ucd: "meta.number",
            description: "Pixels of all bands that were masked or found to be artefacts"),
    ]
    let modelPaths: [String]
    private let restorer: Restorer
    private let settings: RestorationSettings
    private let folder: String

    init(_ settings: RestoreSettings, folder: RunFolder) throws(PipelineError) {
        self.folder = folder.path
        guard settings.denoises || settings.fills || settings.refines else {
            throw PipelineError(.configuration, "restore: expected denoise, fill or super-resolution to be true")
        }
        self.settings = RestorationSettings(
            denoises: settings.denoises, fills: settings.fills, refines: settings.refines)
        let path = try InstalledFiles.model(named: settings.model)
        // Objects are what runs at the same time.
        do { restorer = try Restorer(path: path, workers: 1) } catch {
            throw PipelineError(.model, path: error.path, error.reason)
        }
        modelPaths = [path]
    }

    func values(of object: AnalysedObject) throws -> [AnalysisValue] {
        let restored = try restorer.restore(object.image, settings)
        let place = "restored/\(object.files.id.replacing("/", with: "_")).fits"
        try FileManager.default.createDirectory(atPath: folder + "/restored", withIntermediateDirectories: true)
        try FITSImageWriter.write(
            restored.image, to: folder + "/" + place, options: .init(imageName: "RESTORED", writesUncertainty: true))
        let ratios = restored.bands.map { Double($0.flux.aperture) }.filter(\.isFinite)
        let farthest = ratios.max { abs($0 - 1) < abs($1 - 1) }
        return [
            .text(place), farthest.map(AnalysisValue.number) ?? .missing,
            .number(Double(restored.bands.reduce(0) { $0 + $1.masked + $1.found })),
        ]
    }
}
