import ArgumentParser
import Foundation
import Models
import Pipelines
import Tensors
import Training

struct TrainRestorationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restoration",
        abstract: "Train the network that `restore` uses, on simulated observations.",
        discussion: """
            Scenes of galaxies and stars are rendered once, on pixels half as wide, and observed anew in every step: another \
            PSF, depth, noise, and other artefacts. The folder gets model.safetensors (for restore --model), loss.csv, \
            validation.csv (minus the PSNR in dB), and a checkpoint: the same command continues an interrupted run.

              lenticular train restoration --samples 4000 --steps 20000 -o runs/restoration
            """)

    @Option(name: .shortAndLong, help: "Run folder.")
    var output: String

    @Option(help: "Scenes to render; 600 kB of memory each.")
    var samples = 2400

    @Option(help: "Scenes for validation, others than those.")
    var validation = 64

    @Option(help: "Steps of the whole run.")
    var steps = 20_000

    @Option(help: "Stamps a step.")
    var batch = 32

    @Option(help: "Side of a stamp in pixels.")
    var side = 96

    @Option(help: "Channels at 1/2, 1/4 and 1/8 of the resolution, by commas.")
    var widths = "32,64,128"

    @Option(help: "Residual blocks at 1/8 of the resolution.")
    var blocks = 3

    @Option(help: "Highest learning rate.")
    var learningRate: Float = 1e-3

    @Option(help: "Seed of weights, scenes and observations.")
    var seed: UInt64 = 1

    @Option(help: "Arithmetic of the convolutions: float32 or bfloat16. Weights are float32 in both.")
    var precision: Precision = .float32

    @Option(help: "Data-parallel workers; another number gives another rounding.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Steps between validations.")
    var validationInterval = 500

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    private var channels: [Int] { widths.split(separator: ",").compactMap { Int($0) } }

    func validate() throws {
        guard samples > 0, validation > 0, steps > 0, batch > 0, workers > 0, blocks > 0, validationInterval > 0,
            learningRate > 0
        else { throw ValidationError("numbers must be positive") }
        if channels.count != 3 { throw ValidationError("--widths: expected three numbers, such as 32,64,128") }
    }

    func run() throws {
        let interruption = Interruption()
        let settings = RestorationTrainer.Settings(
            scenes: samples, validationScenes: validation, side: side, widths: channels, middleBlocks: blocks,
            training: TrainerSettings(
                batchSize: batch, steps: steps, learningRate: learningRate, optimizer: .init(weightDecay: 0.01),
                seed: seed, precision: precision, workers: workers, validationInterval: validationInterval))
        let rendering = Progress("rendering", total: samples + validation, unit: "scenes", enabled: !quiet)
        var trainer = try RestorationTrainer(settings, folder: output) { done, _ in
            rendering.update(done)
            return !interruption.requested
        }
        rendering.finish(samples + validation)
        let training = Progress("training ", total: steps, unit: "steps", startingAt: trainer.step, enabled: !quiet)
        var (smoothed, best): (Float?, Double?) = (nil, nil)
        var note: String {
            "loss \(fixed(smoothed ?? 0, 3))" + (best.map { "  PSNR \(fixed(-$0, 2)) dB" } ?? "")
        }
        let summary = try trainer.run { progress in
            smoothed = smoothed.map { $0 + 0.02 * (progress.loss - $0) } ?? progress.loss
            best = progress.bestValidation
            training.update(progress.step, note: note)
            return !interruption.requested
        }
        training.finish(trainer.step, note: note)
        guard let summary else {
            print("Interrupted after \(trainer.step) of \(steps) steps; the same command continues.")
            throw ExitCode(130)
        }
        try trainer.save(
            summary, to: output + "/model.safetensors",
            metadata: [
                "training": "\(steps) steps of \(batch) stamps, \(samples) scenes, seed \(seed)",
                "creator": "lenticular \(ProgramVersion.current)",
            ])
        try RestorationTrainingFigure(folder: output).draw()
        guard !quiet else { return }
        print(
            """
            PSNR on \(validation) validation stamps, dB (linear estimate): denoise \(fixed(summary.denoise, 2)) \
            (\(fixed(summary.linearDenoise, 2))), deconvolve \(fixed(summary.deconvolve, 2)) \
            (\(fixed(summary.linearDeconvolve, 2)))
            stated standard deviations were multiplied by \(fixed(summary.calibration.denoise, 2)), \
            \(fixed(summary.calibration.deconvolve, 2)); within pixels by \(fixed(summary.calibration.fine, 2))
              \(output)/model.safetensors  for restore --model
            """)
    }
}
