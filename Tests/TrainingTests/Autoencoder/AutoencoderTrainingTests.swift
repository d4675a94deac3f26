import Foundation
import Models
import Tensors
import TestSupport
import Testing
import Training

@Suite struct AutoencoderTrainingTests {
    /// Round and elongated Gaussians of different widths, with a little noise.
    private static func stamps(_ count: Int, noise: Float = 0.05) throws -> StampsInMemory {
        var pixels: [Float] = []
        for index in 0..<count {
            var random = RandomNumbers(seed: 5, stream: UInt64(index))
            let (a, b) = (random.uniform(3, 12), random.uniform(3, 12))
            for _ in 0..<3 {
                for y in 0..<64 {
                    for x in 0..<64 {
                        let (u, v) = ((Float(x) - 31.5) / a, (Float(y) - 31.5) / b)
                        pixels.append(4 * exp(-(u * u + v * v) / 2) - 0.5 + noise * random.normal())
                    }
                }
            }
        }
        return try StampsInMemory(
            pixels, channels: 3, side: 64, size: 64, augmentation: AutoencoderTrainer.augmentation)
    }

    private static func settings(_ kind: AutoencoderConfiguration.Kind, steps: Int) -> AutoencoderSettings {
        AutoencoderSettings(
            kind, latent: 16, epochs: 0.1, minimumSteps: steps, batchSize: 8, learningRate: 3e-3, precision: .float32,
            workers: 2)
    }

    @Test(
        "Both kinds learn to draw Gaussians: held-out error falls below a fifth of the variance",
        arguments: [
            AutoencoderConfiguration.Kind.plain, .attention,
        ])
    func learns(kind: AutoencoderConfiguration.Kind) throws {
        var trainer = try AutoencoderTrainer(Self.settings(kind, steps: 60), stamps: try Self.stamps(48))
        try trainer.run()
        // The variance of such a stamp about its mean is 0.6 to 1.5.
        #expect(try #require(trainer.validation) < 0.15)
    }

    @Test("An interrupted run ends in the same bits as one without interruption")
    func resumes() throws {
        let stamps = try Self.stamps(24)
        let settings = Self.settings(.attention, steps: 8)
        var whole = try AutoencoderTrainer(settings, stamps: stamps)
        let expected = try whole.run()
        try withTemporaryFolder { folder in
            var first = try AutoencoderTrainer(settings, stamps: stamps, folder: folder, data: "gaussians")
            try first.run(until: 5)
            var second = try AutoencoderTrainer(settings, stamps: stamps, folder: folder, data: "gaussians")
            #expect(second.step == 5)
            let network = try second.run()
            for (a, b) in zip(network.parameters, expected.parameters) {
                #expect(a.tensor.floats() == b.tensor.floats(), "\(a.parameter.name)")
            }
            #expect(throws: TrainingError.self) {
                try AutoencoderTrainer(settings, stamps: stamps, folder: folder, data: "something else")
            }
        }
    }

    @Test("A stamp that is not a number ends the run with a named error before it touches the weights")
    func notANumber() throws {
        let pixels = [Float](repeating: .nan, count: 8 * 3 * 64 * 64)
        let stamps = try StampsInMemory(pixels, channels: 3, side: 64, size: 64)
        var trainer = try AutoencoderTrainer(Self.settings(.plain, steps: 4), stamps: stamps)
        #expect { try trainer.run() } throws: { ($0 as? TrainingError)?.kind == .diverged }
        #expect(throws: TrainingError.self) { try AutoencoderTask(try Self.stamps(1), seed: 1) }
    }

    @Test("Noise is found below a galaxy, and a noisy stamp counts less")
    func noiseWeights() throws {
        for noise in [Float(0.1), 0.5] {
            let stamp = try Self.stamps(1, noise: noise).stamp(0)
            #expect(abs(NoiseWeights.deviation(stamp, side: 64) / noise - 1) < 0.06)
        }
        let quiet = try (0..<4).flatMap { try Self.stamps(4, noise: 0.05).stamp($0) }
        let loud = try (0..<4).flatMap { try Self.stamps(4, noise: 1).stamp($0) }
        let weights = try NoiseWeights.of(try StampsInMemory(quiet + loud, channels: 3, side: 64, size: 64))
        #expect(abs(weights.reduce(0, +) / 8 - 1) < 1e-5)
        // (1 + 0.05) / (0.0025 + 0.05) = 20
        #expect(abs(weights[0] / weights[7] - 20) < 2)
    }

    @Test("Raw stamps have mean 0 and deviation 1 in each channel once normalised")
    func normalises() {
        var random = RandomNumbers(seed: 2)
        let size = AutoencoderStamps.size * AutoencoderStamps.size
        var raw: [Float] = []
        for plane in 0..<6 {
            let deviation = 0.1 * Float(plane % 3 + 1)
            for _ in 0..<size { raw.append(0.3 + deviation * random.normal()) }
        }
        let normalization = AutoencoderStamps.fitted(to: raw)
        let result = AutoencoderStamps.normalise(raw, normalization)
        for channel in 0..<3 {
            var own = Array(result[(channel * size)..<((channel + 1) * size)])
            own += result[((channel + 3) * size)..<((channel + 4) * size)]
            let count = Float(own.count)
            let mean: Float = own.reduce(0, +) / count
            var variance: Float = 0
            for value in own { variance += (value - mean) * (value - mean) / count }
            #expect(abs(mean) < 1e-3 && abs(variance - 1) < 1e-2)
        }
    }
}
