import Foundation
import ImageProcessing
import Models
import Tensors
import TestSupport
import Testing
import Training

@Suite struct RestorationTrainingTests {
    private static let scenes = Result { try RestorationScenes(count: 6, seed: 5, workers: 2) }

    @Test func anObservationIsItsTruthWithTheStatedNoise() throws {
        let scene = try Self.scenes.get().scenes[0]
        var random = RandomNumbers(seed: 1)
        let settings = ObservationSettings(fwhm: 4, skyNoise: 0.01, gain: 2800)
        let observation = try Observation(of: scene, side: 96, settings, random: &random)
        let z = observation.pixels.indices.map {
            Double((observation.pixels[$0] - observation.truth[$0]) / observation.noise[$0])
        }
        let deviation = (z.reduce(0) { $0 + $1 * $1 } / Double(z.count)).squareRoot()
        let mean: Double = z.reduce(0, +) / Double(z.count)
        #expect(abs(mean) < 0.05)
        #expect(abs(deviation - 1) < 0.05)
        #expect(observation.valid.allSatisfy { $0 } && !observation.artefacts.contains(true))
        for index in stride(from: 0, to: 96 * 96, by: 31) {
            let corner = 2 * (index / 96) * 192 + 2 * (index % 96)
            let parts: Float = [0, 1, 192, 193].reduce(0) { $0 + observation.fineTruth[corner + $1] }
            #expect(abs(parts - observation.truth[index]) < 1e-3 * max(1, abs(parts)), "four fine pixels are one")
        }
    }

    /// A narrower PSF moves light, it makes none: but for far wings the totals agree, and the peak is higher.
    @Test func aWantedPSFKeepsTheFlux() throws {
        let side = RestorationScenes.side
        var scene = [Float](repeating: 0, count: side * side)
        scene[(side / 2) * side + side / 2] = 1000
        func truth(_ target: Double?) throws -> [Float] {
            var random = RandomNumbers(seed: 2)
            return try Observation(
                of: scene, side: 96, ObservationSettings(fwhm: 4, targetFWHM: target, skyNoise: 0.01, gain: 2800),
                random: &random
            ).truth
        }
        let (blurred, sharp) = (try truth(nil), try truth(2))
        let totals: (Float, Float) = (sharp.reduce(0, +), blurred.reduce(0, +))
        #expect(abs(totals.0 / totals.1 - 1) < 0.02)
        #expect(sharp.max()! > 1.2 * blurred.max()!)
    }

    @Test func artefactsAreMarkedWhereTheyAre() throws {
        let scene = try Self.scenes.get().scenes[2]
        var settings = ObservationSettings(fwhm: 4, skyNoise: 0.01, gain: 2800)
        (settings.cosmicRays, settings.trails, settings.masksArtefacts) = (5, 1, false)
        var random = RandomNumbers(seed: 3)
        let observation = try Observation(of: scene, side: 96, settings, random: &random)
        let marked = observation.artefacts.indices.filter { observation.artefacts[$0] }
        #expect(marked.count > 50, "a trail crosses the stamp")
        for i in marked { #expect(observation.pixels[i] > observation.truth[i] - 4 * observation.noise[i]) }
        #expect(observation.valid.allSatisfy { $0 }, "they are to be found")
    }

    /// A few steps of training are better than the shrinkage that the network begins as, and a seed decides the result.
    @Test func trainingImprovesOnTheShrinkage() throws {
        let settings = RestorationTrainer.Settings(
            scenes: 12, validationScenes: 6, side: 48, widths: [16, 24, 32], middleBlocks: 1,
            training: TrainerSettings(
                batchSize: 8, steps: 120, learningRate: 2e-3, seed: 4, workers: 2, validationInterval: 40))
        func train() throws -> RestorationTrainer.Summary {
            try withTemporaryFolder { folder in
                var trainer = try RestorationTrainer(settings, folder: folder) { _, _ in true }
                let summary = try #require(try trainer.run { _ in true })
                try trainer.save(summary, to: folder + "/model.safetensors", metadata: [:])
                let loaded = try RestorationNetwork.load(
                    path: folder + "/model.safetensors", backend: CPUBackend(threads: 1))
                #expect(loaded.configuration.calibration == summary.calibration)
                return summary
            }
        }
        let (first, second) = (try train(), try train())
        func gain(_ summary: RestorationTrainer.Summary) -> Double {
            [summary.denoise - summary.linearDenoise, summary.deconvolve - summary.linearDeconvolve]
                .reduce(0, +)
        }
        #expect(gain(first).isFinite && gain(first) > 0.1, "gain \(gain(first)) dB")
        #expect(gain(first) == gain(second))
    }

    @Test func impossibleSettingsAreRefused() {
        let training = TrainerSettings(batchSize: 1, steps: 1, learningRate: 1e-3, workers: 1)
        for side in [20, 50, 200] {
            let settings = RestorationTrainer.Settings(scenes: 3, validationScenes: 1, side: side, training: training)
            #expect(throws: TrainingError.self) {
                try RestorationTrainer(settings, folder: "/nonexistent") { _, _ in true }
            }
        }
    }
}
