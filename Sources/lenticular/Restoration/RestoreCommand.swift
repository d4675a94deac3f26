import ArgumentParser
import AstroIO
import Datasets
import Foundation
import ImageProcessing
import Inference
import Pipelines
import Tensors

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Remove noise, blur and artefacts from images, and fill their gaps.",
        discussion: """
            Any size, any bands: each band is restored by itself, in the image's unit. FOLDER gets for each image \
            NAME_restored.fits with the planes RESTORED, MASK and UNCERTAINTY (1 σ) and the same WCS, and NAME_restored.png \
            (before, after); restoration.ecsv (noise, filled pixels and flux ratios of each band); and failures.ecsv.

              lenticular restore field.fits -o restored --denoise --fill
              lenticular restore field.fits -o sharp --deconvolve --psf-fwhm 1.2 --target-fwhm 0.7

            Without a choice it is --denoise --fill. Exit status: 0 all images restored; 3 some failed.
            """)

    @Argument(help: "Folders and files to restore.")
    var paths: [String]

    @Option(name: .shortAndLong, help: "Folder to write to.")
    var output: String

    @Flag(help: "Remove the noise.")
    var denoise = false

    @Flag(help: "Change the PSF: give its width (--psf-fwhm) or image (--psf), and the wanted width (--target-fwhm).")
    var deconvolve = false

    @Flag(help: "Give values to masked pixels, NaN, cosmic rays and trails; the latter are found where not masked.")
    var fill = false

    @Flag(help: "Pixels half as wide; removes the noise too.")
    var superResolution = false

    @Option(help: "Full width at half maximum of the image's PSF: arcsec (1.2) or pixels (4.5px).")
    var psfFwhm: AngularWidth?

    @Option(help: "FITS image of the PSF, in the image's pixels.")
    var psf: String?

    @Option(help: "Full width at half maximum of the wanted PSF, a Gaussian: arcsec or pixels.")
    var targetFwhm: AngularWidth?

    @Option(help: "Network by name, or a .safetensors file.")
    var model = "restoration"

    @Option(help: "Image extension by name or number.")
    var hdu: String?

    @Option(help: "Arithmetic of the convolutions: float32 or bfloat16.")
    var precision: Precision = .float32

    @Option(help: "Threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Flag(name: .shortAndLong, help: "No progress bar and no summary.")
    var quiet = false

    func validate() throws {
        guard deconvolve else {
            if psfFwhm != nil || psf != nil || targetFwhm != nil {
                throw ValidationError("--psf-fwhm, --psf and --target-fwhm belong to --deconvolve")
            }
            return
        }
        guard (psfFwhm == nil) != (psf == nil), targetFwhm != nil else {
            throw ValidationError("--deconvolve needs --target-fwhm and either --psf-fwhm or --psf")
        }
        if workers < 1 { throw ValidationError("--workers: expected at least 1") }
    }

    func run() throws {
        let interruption = Interruption()
        let restorer = try Restorer(path: InstalledFiles.model(named: model), workers: workers, precision: precision)
        let kernel = try psf.map { try PSFKernel.image(ImageReader.read($0)) }
        let objects = try FileDiscovery().objects(in: paths)
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let progress = Progress("restoring", total: 1000 * objects.count, unit: "‰", enabled: !quiet)
        var tables = RestorationTables()
        for (number, object) in objects.enumerated() where !interruption.requested {
            do {
                let image = try read(object)
                let restored = try restorer.restore(image, settings(for: image, kernel)) { share in
                    progress.update(1000 * number + Int(1000 * share), failures: tables.failures.count)
                }
                let name = output + "/" + object.id + "_restored"
                try FITSImageWriter.write(
                    restored.image, to: name + ".fits",
                    options: .init(imageName: "RESTORED", writesUncertainty: true))
                try RestorationFigure(before: image, after: restored.image).draw().writePNG(to: name + ".png")
                tables.add(restored, of: object)
            } catch {
                tables.failures.append((object.id, object.paths.joined(separator: ";"), "\(error)"))
            }
        }
        progress.finish(1000 * objects.count, failures: tables.failures.count)
        try tables.write(to: output)
        if !quiet { print(tables.summary) }
        if interruption.requested { throw ExitCode(130) }
        if !tables.failures.isEmpty { throw ExitCode(3) }
    }

    private func read(_ object: ObjectFiles) throws(ImageError) -> Image {
        try ImageReader.read(object.planes.map(\.source), options: ImageReadOptions(hdu: hdu))
    }

    private func settings(for image: Image, _ kernel: PSFKernel?) throws -> RestorationSettings {
        let chosen = denoise || deconvolve || fill || superResolution
        var settings = RestorationSettings(
            denoises: denoise || !chosen, fills: fill || !chosen, refines: superResolution)
        if deconvolve {
            let from = try kernel ?? .moffat(fwhm: psfFwhm!.pixels(of: image))
            let to = try targetFwhm!.pixels(of: image)
            guard to < from.fwhm else {
                throw RestorationError(
                    .settings,
                    "the wanted PSF of \(significant(to)) pixels FWHM is not narrower than the image's of \(significant(from.fwhm))"
                )
            }
            settings.psf = (from, try .gaussian(fwhm: to))
        }
        return settings
    }
}
