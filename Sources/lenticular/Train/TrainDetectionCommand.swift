import ArgumentParser
import Figures
import Foundation
import ImageProcessing
import Inference
import Models
import Pipelines
import Tensors
import Training

struct TrainDetectionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detection",
        abstract: "Train the network that finds sources, on simulated fields.",
        discussion: """
            Fields are made by the simulator, as different as surveys are, and kept in memory (about 0.5 MB each). The folder gets \
            model.safetensors (use it with detect --model FOLDER/model.safetensors), loss.csv, validation.csv, loss.png, and a \
            checkpoint: the same command continues an interrupted run, to the same result.

              lenticular train detection --samples 1000 --steps 2000 -o detection
            """)

    @Option(name: .shortAndLong, help: "Folder of the run.")
    var output: String

    @Option(help: "Simulated fields to learn from.")
    var samples = 1000

    @Option(help: "Further fields, that the state to keep and the score's threshold are chosen on.")
    var validation = 96

    @Option(help: "Steps of the whole run.")
    var steps = 2000

    @Option(help: "Views a step.")
    var batch = 64

    @Option(help: "Side of a field, pixels; views are squares of 128 in it.")
    var fieldSize = 192

    @Option(help: "Highest learning rate.")
    var learningRate: Float = 1e-3

    @Option(help: "Seed of fields, weights, order and views.")
    var seed: UInt64 = 1

    @Option(help: "Arithmetic of the convolutions: float32 or bfloat16.")
    var precision: Precision = .float32

    @Option(help: "Data-parallel workers; another number gives another rounding.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Flag(name: .shortAndLong, help: "No progress bar and no summary.")
    var quiet = false

    private static let side = 128

    func validate() throws {
        guard samples > 0, validation > 0, steps > 0, batch > 0, workers > 0, learningRate > 0 else {
            throw ValidationError("samples, validation, steps, batch, workers and learning rate must be positive")
        }
        guard (Self.side...1024).contains(fieldSize) else {
            throw ValidationError("--field-size: expected \(Self.side) … 1024 pixels")
        }
    }

    func run() throws {
        let interruption = Interruption()
        let configuration = DetectionConfiguration()
        let fields = DetectionFields(seed: seed, size: fieldSize)
        let making = Progress("simulating", total: samples + validation, unit: "fields", enabled: !quiet)
        let examples = try fields.examples(
            samples + validation, background: .init(box: configuration.backgroundBox), workers: workers
        ) { making.update($0) }
        making.finish(examples.count)
        let task = DetectionTask(
            examples: Array(examples.prefix(samples)), validation: Array(examples.dropFirst(samples)), side: Self.side)

        let network = try DetectionNetwork(configuration, seed: seed, backend: CPUBackend(threads: 1))
        let settings = TrainerSettings(
            batchSize: batch, steps: steps, learningRate: learningRate, warmup: 0.1,
            optimizer: AdamW.Settings(weightDecay: 0.02), seed: seed, precision: precision, workers: workers,
            validationInterval: max(1, steps / 20))
        var trainer = try Trainer(
            settings, network: network, task: task, folder: output,
            description: "detection, \(samples) + \(validation) fields of \(fieldSize) pixels, seed \(seed)")
        let progress = Progress(
            "training  ", total: steps, unit: "steps", startingAt: trainer.step, enabled: !quiet)
        var smoothed: Float?
        let trained = try trainer.run { state in
            smoothed = smoothed.map { $0 + 0.02 * (state.loss - $0) } ?? state.loss
            let best = state.bestValidation.map { ", validation \(fixed($0, 4))" } ?? ""
            progress.update(state.step, note: "loss \(fixed(smoothed!, 4))\(best)")
            return !interruption.requested
        }
        progress.finish(trainer.step, note: smoothed.map { "loss \(fixed($0, 4))" })
        try DetectionFigures.training(folder: output)
        if trainer.step < steps {
            print("Interrupted after \(trainer.step) of \(steps) steps; the same command continues.")
            throw ExitCode(130)
        }
        let (calibrated, scores) = DetectionCalibration.calibrate(
            trained, on: task.validationExamples, workers: workers)
        try calibrated.save(
            to: output + "/model.safetensors",
            metadata: [
                "creator": "lenticular \(ProgramVersion.current)",
                "training":
                    "\(samples) simulated fields of \(fieldSize) pixels, \(steps) steps of \(batch) views, seed \(seed)",
                "validation":
                    "F1 \(scores.f1.value), precision \(scores.precision.value), recall \(scores.recall.value) on \(validation) fields",
            ])
        if !quiet {
            print(
                """
                \(validation) validation fields, sources of matched-filter S/N ≥ \(fixed(DetectionCalibration.minimumSignificance, 0)), \
                segments of IoU ≥ 0.5, score ≥ \(fixed(calibrated.configuration.thresholds.centre, 3)):
                  precision \(fixed(scores.precision.value, 4)), recall \(fixed(scores.recall.value, 4)), F1 \(fixed(scores.f1.value, 4)), \
                average precision \(fixed(scores.averagePrecision.value, 4))
                  \(output)/model.safetensors  the network: detect --model \(output)/model.safetensors
                  \(output)/loss.png           how the loss fell
                """)
        }
    }
}
