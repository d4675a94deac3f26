import ArgumentParser
import Figures
import Foundation
import ImageProcessing
import Models
import Pipelines
import Tensors
import Training

struct TrainParametersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parameters",
        abstract: "Train the network that measures magnitude, size and shape, on simulated galaxies.",
        discussion: """
            Galaxies are drawn once (0.1 s each on one core; 74 kB each in memory) and looked at in new noise, depth and orientation \
            at every step, so there is nothing to download. The folder gets parameters.safetensors (give it to `lenticular measure \
            --model`), loss.csv, validation.csv, loss.png and a checkpoint: the same command continues an interrupted run.
            """)

    @Option(name: .shortAndLong, help: "Run folder.")
    var output: String

    @Option(help: "Simulated galaxies to learn from.")
    var scenes = 20_000

    @Option(help: "Simulated galaxies to judge and calibrate with; the network is not trained on them.")
    var heldOut = 3000

    @Option(help: "Steps of the whole run.")
    var steps = 6000

    @Option(help: "Stamps a step.")
    var batch = 128

    @Option(help: "Highest learning rate.")
    var learningRate: Float = 1e-3

    @Option(help: "Seed of galaxies, noise, weights and order.")
    var seed: UInt64 = 1

    @Option(help: "Data-parallel workers; another number gives another rounding.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    func validate() throws {
        guard scenes > 0, heldOut >= 120, steps > 0, batch > 0, workers > 0, learningRate > 0 else {
            throw ValidationError("numbers must be positive, and --held-out at least 120")
        }
    }

    func run() throws {
        let interruption = Interruption()
        func simulate(_ title: String, first: Int, count: Int) throws -> ParameterSimulation {
            let progress = Progress(title, total: count, unit: "galaxies", enabled: !quiet)
            let simulation = try ParameterSimulation(seed: seed, first: first, count: count, workers: workers) {
                progress.update($0)
                return !interruption.requested
            }
            progress.finish(count)
            guard let simulation else { throw ExitCode(130) }
            return simulation
        }
        // Galaxies for validation and calibration come first in the sequence, so more for training changes none of them.
        let half = heldOut / 2
        let validation = try simulate("validation  ", first: 0, count: half)
        let calibration = try simulate("calibration ", first: half, count: heldOut - half)
        let training = try simulate("simulating  ", first: heldOut, count: scenes)

        let network = try ParameterNetwork(
            ParameterTraining.configuration, seed: seed, backend: CPUBackend(threads: 1))
        let task = ParameterTask(simulation: training, validation: validation, seed: seed)
        let settings = TrainerSettings(
            batchSize: batch, steps: steps, learningRate: learningRate, seed: seed, workers: workers,
            checkpointInterval: max(1, steps / 8), validationInterval: max(1, steps / 20))
        var trainer = try Trainer(
            settings, network: network, task: task, folder: output,
            description: "parameters, \(scenes) scenes, \(heldOut) held out")
        let progress = Progress(
            "training    ", total: steps, unit: "steps", startingAt: trainer.step, enabled: !quiet)
        var note = ""
        let trained = try trainer.run { state in
            if let best = state.bestValidation { note = "  held out \(fixed(best, 4))" }
            progress.update(state.step, note: "loss \(fixed(state.loss, 3))\(note)")
            return !interruption.requested
        }
        progress.finish(trainer.step, note: note)
        guard trainer.step == steps else {
            print("Interrupted after \(trainer.step) of \(steps) steps; the same command continues.")
            throw ExitCode(130)
        }
        let calibrated = try ParameterTraining.calibrated(trained, on: calibration, seed: seed, workers: workers)
        let path = output + "/parameters.safetensors"
        let metadata = [
            "creator": "lenticular \(ProgramVersion.current)",
            "training":
                "\(scenes) simulated galaxies, \(steps) steps of \(batch), seed \(seed), calibrated on \(heldOut - half)",
        ]
        try ModelFile.save(
            calibrated, task: ParameterNetwork.task, configuration: calibrated.configuration, metadata: metadata,
            to: path)
        try drawLoss()
        if !quiet {
            print("\(path): --model of lenticular measure; \(calibrated.parameterCount) parameters")
        }
    }

    /// Loss of the steps and of the held-out galaxies.
    private func drawLoss() throws {
        func read(_ name: String) throws -> (x: [Double], y: [Double]) {
            let text = try String(contentsOfFile: output + "/" + name, encoding: .utf8)
            let rows = text.split(separator: "\n").dropFirst().map {
                $0.split(separator: ",").map { Double($0) ?? .nan }
            }
            return (rows.map { $0[0] }, rows.map { $0[1] })
        }
        let (steps, held) = (try read("loss.csv"), try read("validation.csv"))
        var mean: [Double] = []
        for loss in steps.y { mean.append(mean.last.map { $0 + 0.02 * (loss - $0) } ?? loss) }
        var plot = Plot(
            title: "Galaxy parameters", xLabel: "step", yLabel: "negative log likelihood of a parameter")
        plot.curves = [
            .init("each step", x: steps.x, y: steps.y, isFaint: true), .init("running mean", x: steps.x, y: mean),
            .init("held out, one view", x: held.x, y: held.y, hasPoints: true),
        ]
        try plot.draw().writePNG(to: output + "/loss.png")
    }
}
