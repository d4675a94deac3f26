import Foundation
import ImageProcessing
import Kernels
public import Models
import Tensors

/// Trains a network for galaxy parameters on simulated stamps, and calibrates its uncertainties on stamps that it has not seen.
public enum ParameterTraining {
    /// The configuration of a network for the stamps that this version makes.
    public static var configuration: ParameterConfiguration {
        ParameterConfiguration(
            channels: ParameterStamp.channels, side: ParameterStamp.side, scalars: ParameterStamp.scalarCount,
            turningScalars: [ParameterStamp.turningScalars.cosine, ParameterStamp.turningScalars.sine])
    }

    /// The trained network with factors for its uncertainties.
    ///
    /// - Parameters:
    ///   - simulation: galaxies that the network was not trained on.
    ///   - views: of which predictions are averaged, as they will be in use.
    public static func calibrated(
        _ network: ParameterNetwork, on simulation: ParameterSimulation, seed: UInt64, views: Int = 8, workers: Int
    ) throws -> ParameterNetwork {
        let pool = WorkerPool(threads: workers)
        let results = ParameterTest.predictions(network, simulation, seed: seed, views: views, pool: pool)
        let ratios = results.map { result in
            zip(zip(result.targets, result.prediction.means), result.prediction.deviations).map {
                abs($0.0 - $0.1) / $1
            }
        }
        var configuration = network.configuration
        configuration.calibration = ParameterCalibration(ratios: ratios, signalToNoise: results.map(\.signalToNoise))
        let copy = try ParameterNetwork(configuration, seed: 0, backend: network.backend)
        for (from, to) in zip(network.parameters, copy.parameters) { to.tensor.copyValues(from: from.tensor) }
        return copy
    }
}

/// A network's predictions for simulated galaxies beside the truth.
enum ParameterTest {
    struct Result: Sendable {
        var targets: [Float]
        var prediction: ParameterNetwork.Prediction
        var signalToNoise: Float
    }

    /// One look at each scene.
    static func predictions(
        _ network: ParameterNetwork, _ simulation: ParameterSimulation, seed: UInt64, views: Int, pool: WorkerPool
    ) -> [Result] {
        var results = [Result?](repeating: nil, count: simulation.count)
        results.withUnsafeMutableBufferPointer { results in
            let results = results
            pool.parallelFor(simulation.count) { index in
                var random = RandomNumbers(seed: seed, stream: 3 << 61 | UInt64(index))
                let observation = simulation.observation(index, random: &random)
                let signal = Float(observation.stamp.signalToNoise)
                let prediction = network.predict(
                    pixels: observation.stamp.pixels, scalars: observation.stamp.scalars, signalToNoise: [signal],
                    views: views)
                results[index] = Result(
                    targets: observation.targets, prediction: prediction[0], signalToNoise: signal)
            }
        }
        return results.map { $0! }
    }
}
