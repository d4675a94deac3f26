import Foundation
import ImageProcessing
import Kernels
public import Models
public import Tensors

/// Galaxies in new noise each time; the likelihood of their true parameters under what the network says is to be large.
public struct ParameterTask: TrainingTask {
    private let simulation: ParameterSimulation
    private let held: [ParameterObservation]

    /// - Parameters:
    ///   - validation: scenes that the network is not trained on; each is looked at once.
    public init(simulation: ParameterSimulation, validation: ParameterSimulation, seed: UInt64) {
        self.simulation = simulation
        held = (0..<validation.count).map { index in
            var random = RandomNumbers(seed: seed, stream: 1 << 62 | UInt64(index))
            return validation.observation(index, random: &random)
        }
    }

    public var sampleCount: Int { simulation.count }

    public func loss(
        _ network: ParameterNetwork, _ samples: [TrainingSample], _ execution: Execution
    ) throws -> Tensor {
        let configuration = network.configuration
        var (pixels, scalars, targets): ([Float], [Float], [Float]) = ([], [], [])
        for sample in samples {
            var random = sample.random
            let view = SquareView(random.integer(below: 8))
            let observation = simulation.observation(sample.index, random: &random)
            pixels += view.turned(observation.stamp.pixels, side: ParameterStamp.side)
            scalars += view.turned(
                numbers: observation.stamp.scalars, rowLength: configuration.scalars, configuration.turningScalars)
            targets += view.turned(
                numbers: observation.targets, rowLength: ParameterNetwork.outputs.count,
                [ParameterNetwork.turningOutputs.cosine, ParameterNetwork.turningOutputs.sine])
        }
        return Self.loss(network, samples.count, pixels, scalars, targets)
    }

    /// The loss of the held-out galaxies, in a single view.
    public func validation(
        _ network: ParameterNetwork, _ execution: Execution, _ parallel: DataParallel
    ) throws -> Double? {
        guard !held.isEmpty else { return nil }
        let block = 32
        let blocks = (held.count + block - 1) / block
        var losses = [Double](repeating: 0, count: blocks)
        losses.withUnsafeMutableBufferPointer { losses in
            let losses = losses
            parallel.pool.parallelFor(blocks) { number in
                let part = held[(number * block)..<min((number + 1) * block, held.count)]
                losses[number] =
                    Double(part.count)
                    * Double(
                        Self.loss(
                            network, part.count, part.flatMap(\.stamp.pixels), part.flatMap(\.stamp.scalars),
                            part.flatMap(\.targets)
                        ).scalar)
            }
        }
        return losses.reduce(0, +) / Double(held.count)
    }

    private static func loss(
        _ network: ParameterNetwork, _ count: Int, _ pixels: [Float], _ scalars: [Float], _ targets: [Float]
    ) -> Tensor {
        let configuration = network.configuration
        let images = Tensor(
            pixels, shape: [count, configuration.channels, configuration.side, configuration.side], on: network.backend)
        let numbers = Tensor(scalars, shape: [count, configuration.scalars], on: network.backend)
        let truth = Tensor(targets, shape: [count, ParameterNetwork.outputs.count], on: network.backend)
        let (mean, logVariance) = network(images, scalars: numbers)
        return mean.gaussianNegativeLogLikelihood(truth, logVariance: logVariance)
    }
}
