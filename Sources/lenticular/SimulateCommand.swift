import ArgumentParser
import AstroIO
import Datasets
import Foundation
import Pipelines

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Make galaxy images of which the truth is known.",
        discussion: """
            Stamps (the default): OUTPUT/sim-00001.fits.fz … with one galaxy each, and OUTPUT/truth.ecsv.
            Fields (--fields): OUTPUT/field-00001.fits.fz … full of galaxies and stars, with MASK, VARIANCE and \
            SEGMENTATION extensions; OUTPUT/truth.ecsv and truth.fits list all sources, artefacts.ecsv all defects.
            Injection (--inject): a real image with simulated sources added, OUTPUT, and beside it the truth, \
            OUTPUT-truth.ecsv.
            Components (--components): the noiseless image of a list of profiles in a JSON file.

              lenticular simulate -o stamps --count 500
              lenticular simulate -o fields --fields 20 --field-size 512 --density 2 --depth 1
              lenticular simulate --inject field.fits -o injected.fits --count 300 --magnitudes 20,25
              lenticular simulate --components scene.json -o scene.fits

            g, r, z in nanomaggies, TAN WCS. Object number i of a seed is the same however many are made.
            """)

    @Option(name: .shortAndLong, help: "Folder to write to; for --inject and --components the file.")
    var output: String

    @Option(name: .shortAndLong, help: "Number of stamps, or of sources to inject.")
    var count = 120

    @Option(help: "Seed of everything random.")
    var seed: UInt64 = 1

    @Option(help: "Side of a stamp in pixels; even.")
    var size = 96

    @Option(help: "Arcseconds a pixel (with --inject: where the image does not say it).")
    var pixelScale: Double?

    @Option(help: "Share of unusual stamps: rings, mergers, lenses, trails, irregulars.")
    var unusual: Float = 0.08

    @OptionGroup(title: "Fields")
    var field: FieldOptions

    @OptionGroup(title: "Injection")
    var injection: InjectionOptions

    @Option(help: "Components: JSON file with size, pixelScale, psf, fwhm and components.")
    var components: String?

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    func validate() throws {
        if count < 1 { throw ValidationError("--count: expected at least 1") }
        if size < 16 || size > 2048 || size % 2 == 1 {
            throw ValidationError("--size: expected an even number from 16 to 2048")
        }
        if !(0...1).contains(unusual) { throw ValidationError("--unusual: expected 0 … 1") }
        if let pixelScale, !(pixelScale > 0.01 && pixelScale < 100) {
            throw ValidationError("--pixel-scale: expected 0.01 … 100 arcsec")
        }
        if [field.fields != nil, injection.inject != nil, components != nil].filter({ $0 }).count > 1 {
            throw ValidationError("expected only one of --fields, --inject and --components")
        }
        if let problem = try field.settings(pixelScale: pixelScale).problem { throw ValidationError(problem) }
    }

    func run() throws {
        if let components {
            try FITSImageWriter.write(ComponentScene.read(components).image(), to: output)
        } else if injection.inject != nil {
            try inject()
        } else if let fields = field.fields {
            let settings = try field.settings(pixelScale: pixelScale)
            let writer = FieldWriter(FieldSimulator(seed: seed, settings: settings))
            try report(total: fields, unit: "fields") { try writer.write(count: fields, to: output, progress: $0) }
        } else {
            let simulator = GalaxySimulator(
                seed: seed, size: size, pixelScale: pixelScale ?? 0.262, unusualShare: unusual)
            try report(total: count, unit: "objects") {
                try SampleGenerator(simulator).write(count: count, to: output, progress: $0)
            }
        }
    }

    private func inject() throws {
        let image = try ImageReader.read(injection.inject ?? "", options: ImageReadOptions(hdu: injection.hdu))
        var injector = SourceInjector(
            seed: seed, count: count, magnitudes: try injection.range, starShare: injection.starShare)
        (injector.fwhm, injector.zeroPoint, injector.gain) = (injection.fwhm, injection.zeroPoint, injection.gain)
        injector.pixelScale = pixelScale
        var result: SourceInjector.Result?
        try report(total: count, unit: "sources") { result = try injector.inject(into: image, progress: $0) }
        guard let result else { return }
        try FITSImageWriter.write(result.image, to: output)
        var stem = output
        for ending in [".gz", ".fz", ".fits", ".fit"] where stem.hasSuffix(ending) { stem.removeLast(ending.count) }
        try FieldWriter.table(result.sources, bands: image.bands).write(to: stem + "-truth.ecsv")
        let widths = zip(image.bands, result.seeing).map { "\($0) \(String(format: "%.2f", $1))″" }
        print(
            "\(output): \(result.sources.count) sources, zero point \(result.zeroPoint), PSF \(widths.joined(separator: ", "))"
        )
    }

    /// Runs work under a progress bar; an interrupted one ends with status 130.
    private func report(total: Int, unit: String, _ work: (@escaping (Int) -> Bool) throws -> Void) throws {
        let interruption = Interruption()
        let progress = Progress("simulating", total: total, unit: unit, enabled: !quiet)
        var done = 0
        try work { number in
            done = number
            progress.update(number)
            return !interruption.requested
        }
        progress.finish(done)
        if done < total { throw ExitCode(130) }
    }
}
