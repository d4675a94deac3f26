import Foundation
import Models
import Tensors
import Testing
import Training

@Suite struct OptimizationTests {
    @Test func theLearningRateRisesThenFallsAsHalfACosine() {
        let schedule = LearningRateSchedule(peak: 1, final: 0.1, warmupSteps: 10, totalSteps: 110)
        #expect(schedule.rate(atStep: 1) == 0.1 && schedule.rate(atStep: 10) == 1)
        #expect(abs(schedule.rate(atStep: 60) - 0.55) < 1e-6)
        #expect(abs(schedule.rate(atStep: 110) - 0.1) < 1e-6)
    }

    /// Algorithm 2 of arXiv 1711.05101, written out in double precision.
    @Test func twoStepsAreThoseOfTheAlgorithm() {
        let backend = CPUBackend(threads: 1)
        let layer = Linear(1, 1, from: .random(seed: 0, on: backend))
        layer.weight.fill(1)
        layer.bias!.fill(1)
        let settings = AdamW.Settings(beta1: 0.9, beta2: 0.99, weightDecay: 0.5)
        var optimizer = AdamW(layer, settings)
        let parallel = DataParallel(workers: 1)
        var (weight, bias, first, second) = (1.0, 1.0, 0.0, 0.0)
        for (step, gradient) in [0.5, -0.25].enumerated() {
            let norm = optimizer.update(
                [
                    Tensor([Float(gradient)], shape: [1, 1], on: backend),
                    Tensor([Float(gradient)], shape: [1], on: backend),
                ],
                learningRate: 0.1, pool: parallel.pool)
            #expect(abs(Double(norm) - abs(gradient) * 2.0.squareRoot()) < 1e-6)
            first = 0.9 * first + 0.1 * gradient
            second = 0.99 * second + 0.01 * gradient * gradient
            let correction = (1 - power(0.9, step + 1), 1 - power(0.99, step + 1))
            let move = 0.1 * (first / correction.0) / ((second / correction.1).squareRoot() + 1e-8)
            weight = weight * (1 - 0.1 * 0.5) - move
            bias -= move
        }
        #expect(abs(Double(layer.weight.scalar) - weight) < 1e-5, "weights decay")
        #expect(abs(Double(layer.bias!.scalar) - bias) < 1e-5, "biases do not")
    }

    @Test func clippingScalesAllGradientsTogether() {
        let backend = CPUBackend(threads: 1)
        func moments(_ gradient: Float, maximumNorm: Float) -> [Float] {
            let layer = Linear(2, 1, bias: false, from: .random(seed: 0, on: backend))
            var optimizer = AdamW(layer, AdamW.Settings(weightDecay: 0))
            optimizer.update(
                [Tensor([3 * gradient, 4 * gradient], shape: [1, 2], on: backend)], learningRate: 0.1,
                maximumNorm: maximumNorm, pool: DataParallel(workers: 1).pool)
            return optimizer.slots[0].firstMoment.floats()
        }
        let (clipped, small) = (moments(100, maximumNorm: 5), moments(1, maximumNorm: 5))
        #expect(zip(clipped, small).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        (0..<exponent).reduce(1) { product, _ in product * base }
    }
}

/// A line through points, one of which is left out for validation.
private struct LineTask: TrainingTask {
    var failsAtPosition = -1

    var sampleCount: Int { 16 }

    func loss(_ network: Linear, _ samples: [TrainingSample], _ execution: Execution) throws -> Tensor {
        let xs = samples.map { Float($0.index) / 8 - 1 }
        let ys = zip(samples, xs).map { $0.position == failsAtPosition ? Float.nan : 3 * $1 - 1 }
        let backend = network.weight.backend
        return network(Tensor(xs, shape: [xs.count, 1], on: backend))
            .meanSquaredError(Tensor(ys, shape: [ys.count, 1], on: backend))
    }

    func validation(_ network: Linear, _ execution: Execution, _ parallel: DataParallel) throws -> Double? {
        let slope = network.weight.floats()[0]
        return Double(abs(slope - 2))  // Smallest on the way from 0 to 3.
    }
}

@Suite struct TrainerTests {
    private func line() -> Linear {
        let layer = Linear(1, 1, from: .random(seed: 1, on: CPUBackend(threads: 1)))
        layer.weight.fill(0)
        return layer
    }

    private func settings(steps: Int) -> TrainerSettings {
        TrainerSettings(
            batchSize: 8, steps: steps, learningRate: 0.1, optimizer: AdamW.Settings(weightDecay: 0), workers: 2,
            checkpointInterval: 5, validationInterval: 1)
    }

    @Test func theStateWithTheSmallestValidationIsKept() throws {
        var trainer = try Trainer(settings(steps: 200), network: line(), task: LineTask())
        var steps = 0
        let network = try trainer.run { progress in
            steps = progress.step
            return true
        }
        #expect(steps == 200)
        let best = try #require(trainer.bestValidation)
        #expect(best.step < 200 && abs(network.weight.floats()[0] - 2) < 0.15)
    }

    @Test func aLossThatIsNoNumberLeavesWeightsAndCheckpoint() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "trainer-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var trainer = try Trainer(
            settings(steps: 20), network: line(), task: LineTask(failsAtPosition: 60), folder: folder)
        #expect(throws: TrainingError.self) { try trainer.run() }
        #expect(trainer.step == 7 && trainer.network.weight.floats()[0].isFinite)
        let resumed = try Trainer(settings(steps: 20), network: line(), task: LineTask(), folder: folder)
        #expect(resumed.step == 5)
    }

    @Test func anInterruptedRunEndsInTheSameBestState() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "trainer-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var whole = try Trainer(settings(steps: 60), network: line(), task: LineTask())
        let expected = try whole.run()
        var first = try Trainer(settings(steps: 60), network: line(), task: LineTask(), folder: folder)
        try first.run(until: 40)
        var second = try Trainer(settings(steps: 60), network: line(), task: LineTask(), folder: folder)
        #expect(try second.run().weight.floats() == expected.weight.floats())
        #expect(second.bestValidation?.step == whole.bestValidation?.step)
        #expect(throws: TrainingError.self) {
            try Trainer(settings(steps: 61), network: line(), task: LineTask(), folder: folder)
        }
    }
}
