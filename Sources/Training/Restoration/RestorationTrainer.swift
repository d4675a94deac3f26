import Foundation
import ImageProcessing
import Kernels
public import Models
import Tensors

/// A whole training run: scenes, training, calibration, and the file of the network.
public struct RestorationTrainer {
    /// Settings of a run.
    public struct Settings: Sendable, Codable, Hashable {
        /// Scenes to render; each is observed many times.
        public var scenes: Int
        /// Scenes for validation, others than those.
        public var validationScenes: Int
        /// Side of the stamps, pixels.
        public var side: Int
        public var widths: [Int]
        public var middleBlocks: Int
        public var training: TrainerSettings

        public init(
            scenes: Int, validationScenes: Int, side: Int = 96, widths: [Int] = [32, 64, 128], middleBlocks: Int = 3,
            training: TrainerSettings
        ) {
            self.scenes = scenes
            self.validationScenes = validationScenes
            self.side = side
            self.widths = widths
            self.middleBlocks = middleBlocks
            self.training = training
        }
    }

    /// What a run found on its validation observations.
    public struct Summary: Sendable {
        /// Mean peak signal-to-noise ratio in dB: of observations whose PSF stays, and of those whose PSF changes.
        public var denoise: Double
        public var deconvolve: Double
        /// Of the linear estimates.
        public var linearDenoise: Double
        public var linearDeconvolve: Double
        public var calibration: RestorationConfiguration.Calibration
    }

    private let settings: Settings
    private let task: RestorationTask
    private var trainer: Trainer<RestorationTask>

    public var step: Int { trainer.step }

    /// - Parameter rendered: called with the number of scenes done and that of all; returning false stops.
    /// - Throws: `TrainingError`, `ModelError`, `CancellationError`.
    public init(_ settings: Settings, folder: String, rendered: (Int, Int) -> Bool) throws {
        self.settings = settings
        let training = settings.training
        let total = settings.scenes + settings.validationScenes
        guard settings.scenes > 0, settings.validationScenes > 0, (32...104).contains(settings.side),
            settings.side.isMultiple(of: RestorationConfiguration.multiple)
        else {
            throw TrainingError(
                .invalidConfiguration, reason: "expected scenes and a side of 32, 40 … 104 pixels: \(settings)")
        }
        let network = try RestorationNetwork(
            RestorationConfiguration(
                channels: RestorationInput.channels, widths: settings.widths, middleBlocks: settings.middleBlocks),
            seed: training.seed, backend: CPUBackend(threads: 1))
        let scenes = try RestorationScenes(count: settings.scenes, seed: training.seed, workers: training.workers) {
            rendered($0, total)
        }
        // Scenes of validation are counted from a number that training never reaches.
        let held = try RestorationScenes(
            count: settings.validationScenes, seed: training.seed, first: 1 << 40, workers: training.workers
        ) { rendered(settings.scenes + $0, total) }
        task = RestorationTask(
            scenes: scenes, side: settings.side, warmup: training.steps * training.batchSize / 10,
            validation: try RestorationTask.observations(
                of: held, count: settings.validationScenes, side: settings.side, seed: training.seed))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        trainer = try Trainer(
            training, network: network, task: task, folder: folder,
            description: String(decoding: try encoder.encode(settings), as: UTF8.self))
    }

    /// Trains to the end; then the best state is calibrated.
    ///
    /// - Returns: nil when stopped before the end.
    public mutating func run(_ report: (TrainingProgress) -> Bool) throws -> Summary? {
        try trainer.run(report)
        guard step == settings.training.steps else { return nil }
        let results = RestorationValidation.restored(
            task.validation, by: trainer.network, Execution(precision: .float32),
            pool: WorkerPool(threads: settings.training.workers))
        func mean(_ changes: Bool, _ value: (RestorationValidation) -> Double) -> Double {
            let chosen = results.filter { $0.changesPSF == changes }
            return chosen.isEmpty ? .nan : chosen.reduce(0) { $0 + value($1) } / Double(chosen.count)
        }
        return Summary(
            denoise: mean(false, \.peakSignalToNoise), deconvolve: mean(true, \.peakSignalToNoise),
            linearDenoise: mean(false, \.linearPeakSignalToNoise),
            linearDeconvolve: mean(true, \.linearPeakSignalToNoise),
            calibration: RestorationValidation.calibration(results))
    }

    /// Writes the trained network.
    public func save(_ summary: Summary, to path: String, metadata: [String: String]) throws(ModelError) {
        try trainer.network.save(to: path, calibration: summary.calibration, metadata: metadata)
    }
}
