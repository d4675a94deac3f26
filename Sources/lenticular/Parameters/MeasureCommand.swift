import ArgumentParser
import AstroIO
import Datasets
import Foundation
import ImageProcessing
import Inference
import Pipelines

struct MeasureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure",
        abstract: "Measure the galaxy in the middle of each image: magnitude, size, shape, morphology.",
        discussion: """
            FOLDER gets catalog.fits and catalog.ecsv (one row an image), failures.ecsv, and diagrams.png.

            The network's parameters have a standard deviation each (`mag_r`, `mag_r_err`, `half_light_radius` …); the classical set \
            has statmorph's names (`concentration`, `asymmetry`, `gini`, `m20`, `flag` …), −99 where nothing could be measured, and \
            lengths in pixels. Weight, sigma, variance and mask planes are found by file name or HDU; `…_psf.fits` and \
            `…_segmentation.fits` beside an image, too.
            """)

    enum Set: String, ExpressibleByArgument, CaseIterable { case network, classical, both }

    @Argument(help: "Folders and files.")
    var paths: [String]

    @Option(name: .shortAndLong, help: "Folder to write to.")
    var output: String

    @Option(help: "What is measured: network, classical or both.")
    var set: Set = .both

    @Option(help: "Network by name, or a .safetensors file.")
    var model = "parameters"

    @Option(help: "Views of each stamp whose predictions are averaged: 1, 4 or 8.")
    var views = 8

    @Option(help: "Band of the shape parameters: r where there is one, else the one with the most light over noise.")
    var band: String?

    @Option(help: "AB magnitude of one unit of the images, where they do not say (BUNIT, MAGZERO …).")
    var zeroPoint: Double?

    @Option(help: "Full width of the PSF at half maximum, arcsec (pixels without WCS), where the images do not say.")
    var psfFwhm: Double?

    @Option(help: "FITS picture of the PSF for all images.")
    var psf: String?

    @Option(help: "FITS segmentation map for all images.")
    var segmentation: String?

    @Flag(inversion: .prefixedNo, help: "Fit a Sersic profile, too.")
    var sersic = true

    @Flag(inversion: .prefixedNo, help: "Subtract a sky that is clearly there.")
    var skySubtraction = true

    @Flag(help: "In the Sersic fit take pixels at their middles, as statmorph does, instead of their means.")
    var pixelCentres = false

    @Option(help: "Threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    func validate() throws {
        if ![1, 4, 8].contains(views) { throw ValidationError("--views: expected 1, 4 or 8") }
        if workers < 1 { throw ValidationError("--workers: expected at least 1") }
        if let psfFwhm, !(psfFwhm > 0 && psfFwhm < 1000) { throw ValidationError("--psf-fwhm: expected a width") }
    }

    func run() throws {
        let interruption = Interruption()
        var settings = MeasurementSettings()
        settings.usesNetwork = set != .classical
        settings.usesClassical = set != .network
        settings.fitsSersic = sersic
        settings.band = band
        settings.zeroPoint = zeroPoint
        settings.seeing = psfFwhm
        settings.psf = psf
        settings.segmentation = segmentation
        settings.subtractsSky = skySubtraction
        settings.samplesPixelCentres = pixelCentres
        let estimator =
            settings.usesNetwork ? try ParameterEstimator(path: InstalledFiles.model(named: model), views: views) : nil
        let measurer = SourceMeasurer(settings: settings, estimator: estimator)
        let objects = try FileDiscovery().objects(in: paths)
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)

        var rows: [MeasuredRow] = []
        var failures: [(object: ObjectFiles, reason: String)] = []
        let progress = Progress("measuring", total: objects.count, unit: "images", enabled: !quiet)
        try OrderedStream(readers: 1, workers: workers).run(
            count: objects.count, load: { $0 },
            process: { _, index -> Result<MeasuredSource, MeasurementError> in
                do throws(MeasurementError) { return .success(try measurer.measure(objects[index])) } catch {
                    return .failure(error)
                }
            },
            write: { index, result in
                switch result {
                case .success(let source): rows.append(MeasuredRow(object: objects[index], source: source))
                case .failure(let error): failures.append((objects[index], error.description))
                }
                progress.update(index + 1, failures: failures.count)
                return !interruption.requested
            })
        progress.finish(rows.count + failures.count, failures: failures.count)

        let catalog = try MeasurementTable(rows, settings: settings).catalog()
        for name in ["catalog.fits", "catalog.ecsv"] { try catalog.write(to: output + "/" + name) }
        try Catalog(
            name: "FAILURES",
            columns: [
                Column("id_str", .string(failures.map(\.object.id)), ucd: "meta.id;meta.main"),
                Column("file_loc", .string(failures.map { $0.object.paths[0] }), ucd: "meta.ref.url"),
                Column("reason", .string(failures.map(\.reason)), description: "Why it was not measured"),
            ]
        ).write(to: output + "/failures.ecsv")
        if !rows.isEmpty { try MeasurementFigure(rows).draw().writePNG(to: output + "/diagrams.png") }
        if !quiet { print("\(output)/catalog.fits  \(rows.count) objects, \(failures.count) failures") }
        if interruption.requested { throw ExitCode(130) }
        if !failures.isEmpty { throw ExitCode(3) }
    }
}
