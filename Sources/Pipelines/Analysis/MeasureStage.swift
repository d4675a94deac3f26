import AstroIO
import Datasets
import Inference

/// What is measured.
package struct MeasureSettings {
    package static let settings = [
        Setting(
            "set", .text("classical"), choices: ["network", "classical", "both"],
            help: "Parameters of the network, the classical non-parametric set with a Sersic fit, or both."),
        Setting("model", .text("parameters"), help: "The parameter network by name, or a .safetensors file."),
        Setting("sersic", .flag(true), help: "Fit a Sersic profile with the classical set."),
        Setting("bands", .list(["g", "r", "i", "z"]), help: "Bands whose magnitudes become columns (network)."),
        Setting(
            "psf-fwhm", .number(0), range: 0...1000,
            help: "Full width of the PSF at half maximum, arcsec, where the images do not say; 0 = measured or unknown."
        ),
    ]

    package let set: String
    package let model: String
    package let sersic: Bool
    package let bands: [String]
    package let seeing: Double?

    package init(_ stage: PipelineSpecification.Stage) {
        set = stage.text("set")
        model = stage.text("model")
        sersic = stage.flag("sersic")
        bands = stage.list("bands")
        let fwhm = stage.number("psf-fwhm")
        seeing = fwhm > 0 ? fwhm : nil
    }
}

/// Magnitude, size and shape of the galaxy in the middle, with the column names of `lenticular measure`.
struct MeasureStage: ObjectAnalysis {
    /// Columns that every row of a run's catalog has already.
    private static let shared: Set<String> = ["id_str", "file_loc", "ra", "dec"]

    let stage = StageKind.measure
    let columns: [ColumnDescription]
    let modelPaths: [String]
    private let measurer: SourceMeasurer
    private let settings: MeasurementSettings
    private let bands: [String]

    init(_ stage: MeasureSettings) throws(PipelineError) {
        var settings = MeasurementSettings()
        settings.usesNetwork = stage.set != "classical"
        settings.usesClassical = stage.set != "network"
        settings.fitsSersic = stage.sersic
        settings.seeing = stage.seeing
        var estimator: ParameterEstimator?
        if settings.usesNetwork {
            let path = try InstalledFiles.model(named: stage.model)
            do { estimator = try ParameterEstimator(path: path) } catch {
                throw PipelineError(.model, path: error.path, error.reason)
            }
            modelPaths = [path]
        } else {
            modelPaths = []
        }
        measurer = SourceMeasurer(settings: settings, estimator: estimator)
        self.settings = settings
        bands = stage.bands
        columns = try Self.cells([], settings, stage.bands).map(\.schema)
    }

    func values(of object: AnalysedObject) throws -> [AnalysisValue] {
        let row = MeasuredRow(object: object.files, source: try measurer.measure(object.image, of: object.files))
        return try Self.cells([row], settings, bands).map { AnalysisValue($0.values, row: 0) }
    }

    private static func cells(
        _ rows: [MeasuredRow], _ settings: MeasurementSettings, _ bands: [String]
    ) throws(PipelineError) -> [Column] {
        do {
            return try MeasurementTable(rows, settings: settings, bands: bands).catalog().columns
                .filter { !shared.contains($0.name) }
        } catch { throw PipelineError(.output, path: error.path, error.reason) }
    }
}
