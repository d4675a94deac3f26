import ArgumentParser
import AstroIO
import Foundation
import ImageProcessing
import Inference
import Pipelines
import Tensors
import Training

struct RestorationBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restoration",
        abstract: "Restore held-out simulated observations, and write them for comparison with other programs.",
        discussion: """
            FOLDER gets KIND_observed.fits (cube of stamps with MASK and VARIANCE), KIND_truth.fits, KIND_fine_truth.fits, \
            KIND_restored.fits and KIND_fine.fits (with UNCERTAINTY) for the kinds denoise, deconvolve and artefacts, psf.fits and \
            target_psf.fits. All are in units of the sky's noise. benchmarks/restoration/compare.py runs classical methods on \
            the same files.
            """)

    @Option(name: .shortAndLong, help: "Folder to write to.")
    var output: String

    @Option(help: "Stamps of each kind.")
    var stamps = 64

    @Option(help: "Side of a stamp in pixels.")
    var side = 96

    @Option(help: "Network by name, or a .safetensors file.")
    var model = "restoration"

    @Option(help: "Seed of scenes and noise.")
    var seed: UInt64 = 20_261_124

    @Option(help: "Arithmetic of the convolutions: float32 or bfloat16.")
    var precision: Precision = .float32

    @Option(help: "Threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    @OptionGroup var json: JSONOption

    struct Figures: Encodable {
        var kind: String
        var stamps: Int
        /// Mean over the stamps of 10 log10(peak² / mean squared error), peak: the truth's largest pixel; without a border of 8.
        var observedPeakSignalToNoise: Double
        var restoredPeakSignalToNoise: Double
        var pixelsPerSecond: Double
    }

    func validate() throws {
        if stamps < 1 || workers < 1 { throw ValidationError("numbers must be positive") }
        if !(32...104).contains(side) || side % 8 != 0 { throw ValidationError("--side: expected 32, 40 … 104") }
    }

    func run() throws {
        let restorer = try Restorer(path: InstalledFiles.model(named: model), workers: workers, precision: precision)
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let progress = Progress("rendering", total: stamps, unit: "scenes", enabled: !quiet)
        let scenes = try RestorationScenes(count: stamps, seed: seed, first: 1 << 41, workers: workers) {
            progress.update($0)
            return true
        }
        progress.finish(stamps)
        var rows: [Figures] = []
        for kind in RestorationBenchmarkSet.Kind.allCases {
            let set = try RestorationBenchmarkSet(kind, scenes: scenes, side: side, seed: seed)
            let (observed, truth) = (set.observed, set.truth)
            var settings = RestorationSettings()
            if kind == .deconvolve { settings.psf = try set.psf }
            let started = ContinuousClock.now
            let restored = try restorer.restore(observed, settings).image
            let seconds = (ContinuousClock.now - started) / .seconds(1)
            settings.refines = true
            let fine = try restorer.restore(observed, settings).image
            for (image, name) in [
                (observed, "observed"), (truth, "truth"), (set.fineTruth, "fine_truth"), (restored, "restored"),
                (fine, "fine"),
            ] {
                try FITSImageWriter.write(
                    image, to: "\(output)/\(kind.rawValue)_\(name).fits",
                    options: .init(writesUncertainty: name == "restored" || name == "fine"))
            }
            rows.append(
                Figures(
                    kind: kind.rawValue, stamps: stamps, observedPeakSignalToNoise: signalToNoise(observed, truth),
                    restoredPeakSignalToNoise: signalToNoise(restored, truth),
                    pixelsPerSecond: Double(observed.pixels.count) / seconds))
        }
        let psf = try RestorationBenchmarkSet(.denoise, scenes: scenes, side: side, seed: seed).psf
        for (kernel, name) in [(psf.from, "psf"), (psf.to, "target_psf")] {
            let image = Image(bands: ["psf"], width: kernel.side, height: kernel.side, pixels: kernel.values)
            try FITSImageWriter.write(image, to: "\(output)/\(name).fits")
        }
        let table = TextTable([
            .init("kind", 10), .init("observed dB", 11, right: true), .init("restored dB", 11, right: true),
            .init("Mpixel/s", 8, right: true),
        ])
        print(table.head)
        for row in rows {
            print(
                table.row([
                    row.kind, fixed(row.observedPeakSignalToNoise, 2), fixed(row.restoredPeakSignalToNoise, 2),
                    fixed(row.pixelsPerSecond / 1e6, 2),
                ]))
        }
        try json.write(rows)
    }

    /// Pixels along the edge that are not judged: what lies beyond it is unknown to every method.
    private static let border = 8

    private func signalToNoise(_ image: Image, _ truth: Image) -> Double {
        let inner = Self.border..<(truth.width - Self.border)
        let values = truth.bands.indices.map { band in
            var (error, peak) = (0.0, 0.0)
            for y in inner {
                for x in inner {
                    let i = band * truth.planeSize + y * truth.width + x
                    let difference = Double(image.pixels[i] - truth.pixels[i])
                    error += difference * difference
                    peak = max(peak, Double(truth.pixels[i]))
                }
            }
            return 10 * log10(peak * peak * Double(inner.count * inner.count) / error)
        }
        return values.reduce(0, +) / Double(values.count)
    }
}
