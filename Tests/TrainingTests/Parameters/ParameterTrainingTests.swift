import Foundation
import ImageProcessing
import Models
import Tensors
import Testing
import Training

@Suite struct ParameterTrainingTests {
    static let simulation = (try? ParameterSimulation(seed: 11, first: 0, count: 24, workers: 2)) ?? nil

    @Test func scenesAreTheSameInEverySetThatHoldsThem() throws {
        let one = try #require(try ParameterSimulation(seed: 3, first: 2, count: 2, workers: 2))
        let other = try #require(try ParameterSimulation(seed: 3, first: 3, count: 1, workers: 1))
        #expect(one.scenes[1].planes[0].values == other.scenes[0].planes[0].values)
        #expect(one.scenes[1].truths == other.scenes[0].truths)
        #expect(one.scenes[0].truths != other.scenes[0].truths)
    }

    /// The truth of size and angle is that of the light which was drawn: half of a lone galaxy's light is in its ellipse.
    @Test func halfOfTheLightIsInsideTheTrueEllipse() throws {
        let simulation = try #require(Self.simulation)
        var checked = 0
        for scene in simulation.scenes {
            let truth = scene.truths[0]
            // Large against the PSF and alone: hardly any light of others within two radii.
            guard truth.halfLightRadius > 2.2 * scene.fwhm[0], truth.bulgeFraction < 0.01 else { continue }
            let light = scene.planes[0].map { Double($0) }
            let middle = Double(ParameterScene.side - 1) / 2
            let aperture = Aperture(
                x: middle, y: middle, outer: truth.halfLightRadius, axisRatio: truth.axisRatio, angle: truth.angle)
            let across = Aperture(
                x: middle, y: middle, outer: truth.halfLightRadius, axisRatio: truth.axisRatio,
                angle: truth.angle + .pi / 2)
            #expect(abs(aperture.sum(light) - 0.5) < 0.12)
            if truth.axisRatio < 0.7 { #expect(aperture.sum(light) > across.sum(light)) }
            checked += 1
        }
        #expect(checked > 0)
    }

    @Test func targetsAreWhatTheLightHolds() throws {
        let simulation = try #require(Self.simulation)
        for index in 0..<simulation.count {
            var random = RandomNumbers(seed: 2, stream: UInt64(index))
            let observation = simulation.observation(index, random: &random)
            // The galaxy's light is 1: the reference circle holds a good part of it, with noise, sky offset and neighbours.
            if observation.stamp.signalToNoise > 50 {
                #expect((0.15...1.6).contains(observation.stamp.referenceFlux))
            }
            #expect(observation.stamp.pixels.allSatisfy(\.isFinite) && observation.stamp.scalars.allSatisfy(\.isFinite))
            #expect(abs(observation.stamp.x - 47.5) < 9 && abs(observation.stamp.y - 47.5) < 9)
        }
    }

    @Test func trainingLearnsAndIsTheSameTwice() throws {
        let simulation = try #require(Self.simulation)
        func train() throws -> (losses: [Float], network: ParameterNetwork) {
            var configuration = ParameterTraining.configuration
            configuration.widths = [6, 8, 12, 16]
            configuration.hidden = 32
            let network = try ParameterNetwork(configuration, seed: 1, backend: CPUBackend(threads: 1))
            let task = ParameterTask(simulation: simulation, validation: simulation, seed: 1)
            var trainer = try Trainer(
                TrainerSettings(batchSize: 16, steps: 25, learningRate: 2e-3, workers: 2), network: network, task: task)
            var losses: [Float] = []
            let trained = try trainer.run {
                losses.append($0.loss)
                return true
            }
            return (losses, trained)
        }
        let (first, second) = (try train(), try train())
        #expect(first.losses == second.losses)
        #expect(first.losses.suffix(5).reduce(0, +) / 5 < first.losses[0] - 0.5)
        let calibrated = try ParameterTraining.calibrated(
            first.network, on: simulation, seed: 9, views: 1, workers: 2)
        #expect(calibrated.parameters.map { $0.tensor.floats() } == first.network.parameters.map { $0.tensor.floats() })
    }

    @Test func statisticsOfKnownErrors() {
        let errors = (-500...500).map { 0.1 + Double($0) / 500 } + [.nan]
        let statistics = ParameterStatistics(errors)
        #expect(statistics.count == 1001)
        #expect(abs(statistics.bias - 0.1) < 1e-9 && abs(statistics.scatter - 0.682) < 2e-3)
        #expect(abs(ParameterStatistics.error(of: 89, truth: -89, quantity: "position_angle") + 2) < 1e-9)
        #expect(ParameterStatistics.error(of: 0, truth: 2, quantity: "half_light_radius").isNaN)
    }
}
