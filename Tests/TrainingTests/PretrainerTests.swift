import Foundation
import Models
import Tensors
import Testing
import Training

/// Small images of bright round spots: a structure that visible patches give away.
private func spots(_ count: Int, side: Int) throws -> StampsInMemory {
    var random = RandomNumbers(seed: 5)
    var pixels: [Float] = []
    for _ in 0..<count {
        let (width, brightness) = (random.uniform(2, 6), random.uniform(1, 3))
        for channel in 0..<2 {
            for y in 0..<side {
                for x in 0..<side {
                    let (dx, dy) = (Float(x) - Float(side - 1) / 2, Float(y) - Float(side - 1) / 2)
                    let r2 = (dx * dx + dy * dy) / (width * width)
                    pixels.append(brightness * Float(channel + 1) / (1 + r2) - 0.5)
                }
            }
        }
    }
    return try StampsInMemory(pixels, channels: 2, side: side, size: side)
}

private func tinyConfiguration(steps: Int, workers: Int) -> PretrainingConfiguration {
    let encoder = ViTConfiguration(
        imageSize: 16, patchSize: 4, channels: 2, width: 64, depth: 2, heads: 2, positionCoverage: .patches)
    let model = MaskedAutoencoderConfiguration(encoder: encoder, decoderWidth: 32, decoderDepth: 1, decoderHeads: 1)
    return PretrainingConfiguration(
        model: model, batchSize: 16, steps: steps, learningRate: 3e-3, workers: workers, checkpointInterval: 1000)
}

private func temporaryFolder() -> String {
    FileManager.default.temporaryDirectory.appending(path: "pretraining-\(UUID())").path
}

@Suite struct PretrainerTests {
    @Test func theLossFallsBelowThatOfPredictingTheMean() throws {
        let folder = temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var pretrainer = try Pretrainer(
            tinyConfiguration(steps: 150, workers: 2), source: spots(64, side: 16), folder: folder)
        var losses: [Float] = []
        try pretrainer.run(metadata: ["note": "test"]) {
            losses.append($0.loss)
            return true
        }
        // A patch normalised to variance 1 costs 1 where its mean is predicted.
        #expect(losses[0] > 0.9)
        #expect(losses.suffix(20).reduce(0, +) / 20 < 0.25, "\(losses.suffix(20))")
        let model = try VisionTransformer.load(path: folder + "/model.safetensors", backend: CPUBackend(threads: 1))
        #expect(model.configuration == pretrainer.configuration.model.encoder)
        let rows = try String(contentsOfFile: folder + "/loss.csv", encoding: .utf8).split(separator: "\n")
        #expect(rows.count == 151 && rows[0] == "step,loss,learning_rate,gradient_norm")
    }

    @Test func anInterruptedRunEndsInTheSameModel() throws {
        let (whole, parts) = (temporaryFolder(), temporaryFolder())
        defer { for folder in [whole, parts] { try? FileManager.default.removeItem(atPath: folder) } }
        let configuration = tinyConfiguration(steps: 12, workers: 2)
        let source = try spots(24, side: 16)
        var uninterrupted = try Pretrainer(configuration, source: source, folder: whole)
        try uninterrupted.run()
        var first = try Pretrainer(configuration, source: source, folder: parts)
        try first.run(until: 5)
        var second = try Pretrainer(configuration, source: source, folder: parts)
        #expect(second.step == 5)
        try second.run()
        for (a, b) in zip(uninterrupted.network.parameters, second.network.parameters) {
            #expect(a.tensor.floats() == b.tensor.floats(), "\(a.parameter.name)")
        }
        let logs = try [whole, parts].map { try String(contentsOfFile: $0 + "/loss.csv", encoding: .utf8) }
        #expect(logs[0] == logs[1])
    }

    @Test func aSeedGivesTheSameModelAndWorkersDifferByRoundingOnly() throws {
        let source = try spots(24, side: 16)
        func weights(workers: Int) throws -> [Float] {
            let folder = temporaryFolder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            var pretrainer = try Pretrainer(
                tinyConfiguration(steps: 4, workers: workers), source: source, folder: folder)
            try pretrainer.run()
            return pretrainer.network.parameters.flatMap { $0.tensor.floats() }
        }
        let two = try weights(workers: 2)
        #expect(try weights(workers: 2) == two)
        let one = try weights(workers: 1)
        let difference = zip(one, two).map { abs($0 - $1) }.max()!
        #expect(difference < 1e-2)
    }

    @Test func aFolderOfAnotherRunIsRefused() throws {
        let folder = temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let source = try spots(8, side: 16)
        var configuration = tinyConfiguration(steps: 2, workers: 1)
        var pretrainer = try Pretrainer(configuration, source: source, folder: folder)
        try pretrainer.run(until: 1)
        configuration.training.learningRate = 1
        #expect(throws: TrainingError.self) { try Pretrainer(configuration, source: source, folder: folder) }
        configuration.model.encoder.channels = 3
        #expect(throws: TrainingError.self) { try Pretrainer(configuration, source: source, folder: folder) }
    }

    @Test func inBFloat16TheGradientIsCloseToThatInFloat32AndRepeatable() throws {
        let source = try spots(8, side: 16)
        let backend = CPUBackend(threads: 1)
        let network = try MaskedAutoencoder(tinyConfiguration(steps: 1, workers: 1).model, seed: 1, backend: backend)
        let masks = (0..<8).map { RandomNumbers(seed: 9, stream: UInt64($0)) }
        let parallel = DataParallel(workers: 3)
        func gradients(_ precision: Precision) throws -> (loss: Float, gradients: [Tensor]) {
            try parallel.gradients(of: network, batch: 8) { network, range in
                let images = Tensor(range.flatMap { source.stamp($0) }, shape: [range.count, 2, 16, 16], on: backend)
                return network.loss(
                    images, mask: .random(patches: 16, ratio: 0.75, range.map { masks[$0] }),
                    Execution(precision: precision))
            }
        }
        let (exact, first, second) = (try gradients(.float32), try gradients(.bfloat16), try gradients(.bfloat16))
        #expect(first.loss == second.loss)
        #expect(abs(first.loss - exact.loss) < 1e-2 * exact.loss)
        for ((a, b), c) in zip(zip(first.gradients, second.gradients), exact.gradients) {
            let (a, b, c) = (a.floats(), b.floats(), c.floats())
            #expect(a == b)
            let size = c.reduce(0) { $0 + $1 * $1 }
            let error = zip(a, c).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            // The gradient of a key's bias is 0 but for rounding; it is part of a larger vector.
            #expect(error <= 2.5e-3 * size + 1e-12)
        }
    }

    @Test func theGradientOfABatchIsThatOfItsShares() throws {
        let source = try spots(8, side: 16)
        let backend = CPUBackend(threads: 1)
        let configuration = tinyConfiguration(steps: 1, workers: 1).model
        let network = try MaskedAutoencoder(configuration, seed: 1, backend: backend)
        let masks = (0..<8).map { RandomNumbers(seed: 9, stream: UInt64($0)) }
        func gradients(workers: Int) throws -> (loss: Float, gradients: [Tensor]) {
            try DataParallel(workers: workers).gradients(of: network, batch: 8) { network, range in
                let pixels = range.flatMap { source.stamp($0) }
                let images = Tensor(pixels, shape: [range.count, 2, 16, 16], on: backend)
                return network.loss(images, mask: .random(patches: 16, ratio: 0.75, range.map { masks[$0] }))
            }
        }
        let (one, three) = (try gradients(workers: 1), try gradients(workers: 3))
        #expect(abs(one.loss - three.loss) < 1e-5)
        for (a, b) in zip(one.gradients, three.gradients) {
            let (a, b) = (a.floats(), b.floats())
            let scale = a.map(abs).max()!
            #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-4 * scale + 1e-7 })
        }
    }
}
