import Foundation
import ImageProcessing
import Kernels
public import Models
import Tensors

/// One restored observation beside its truth, in σ of the sky.
public struct RestorationValidation: Sendable {
    public let changesPSF: Bool
    /// 10 log₁₀(peak² / mean squared error), dB; the peak is the truth's largest pixel, at least 1 σ: a stamp may hold nothing but
    /// dark sky. Pixels that unmasked artefacts hide do not count: a second look sees them masked.
    public let peakSignalToNoise: Double
    /// The same of the linear estimate.
    public let linearPeakSignalToNoise: Double
    /// |truth − restored| in stated standard deviations, of some pixels.
    let deviations: [Float]
    let fineDeviations: [Float]

    /// Restores observations, one a worker at a time.
    static func restored(
        _ observations: [Observation], by network: RestorationNetwork, _ execution: Execution, pool: WorkerPool
    ) -> [RestorationValidation] {
        var results = [RestorationValidation?](repeating: nil, count: observations.count)
        results.withUnsafeMutableBufferPointer { results in
            let results = results
            pool.parallelFor(observations.count) {
                results[$0] = RestorationValidation(observations[$0], network, execution)
            }
        }
        return results.map { $0! }
    }

    private init(_ observation: Observation, _ network: RestorationNetwork, _ execution: Execution) {
        let (input, side) = (observation.input, observation.side)
        let planes = Tensor(
            input.planes, shape: [1, RestorationInput.channels, side, side], on: network.backend)
        let answer = network(planes, fine: true, execution)
        let (correction, logVariance) = (answer.correction.floats(), answer.logVariance.floats())
        var (error, linear, peak) = (0.0, 0.0, Float(1))
        var deviations: [Float] = []
        for i in input.base.indices {
            let difference = observation.truth[i] - input.base[i] - input.scale[i] * correction[i]
            if observation.isHidden(i) { continue }
            error += Double(difference * difference)
            linear += Double((observation.truth[i] - input.base[i]) * (observation.truth[i] - input.base[i]))
            peak = max(peak, observation.truth[i])
            if i % 7 == 0 { deviations.append(abs(difference) / (input.scale[i] * exp(logVariance[i] / 2))) }
        }
        let detail = RestorationInput.withoutPixelMeans(answer.fineCorrection!.floats(), width: 2 * side)
        let (fineLogVariance, expected) = (answer.fineLogVariance!.floats(), input.fineDetail)
        let truth = RestorationInput.withoutPixelMeans(observation.fineTruth, width: 2 * side)
        var fine: [Float] = []
        for i in stride(from: 0, to: detail.count, by: 13) {
            let scale = input.scale[(i / (2 * side)) / 2 * side + i % (2 * side) / 2] / 4
            fine.append(abs(truth[i] - expected[i] - scale * detail[i]) / (scale * exp(fineLogVariance[i] / 2)))
        }
        let count = Double(input.base.count)
        let power = Double(peak * peak)
        changesPSF = observation.psf != nil
        peakSignalToNoise = 10 * log10(power / max(error / count, 1e-12))
        linearPeakSignalToNoise = 10 * log10(power / max(linear / count, 1e-12))
        (self.deviations, fineDeviations) = (deviations, fine)
    }

    /// Factors that make 68.3 % of the truths lie within one stated standard deviation.
    public static func calibration(_ results: [RestorationValidation]) -> RestorationConfiguration.Calibration {
        func factor(_ values: [Float]) -> Float {
            values.isEmpty ? 1 : max(0.05, values.sorted()[Int(0.6827 * Double(values.count - 1))])
        }
        var calibration = RestorationConfiguration.Calibration()
        calibration.denoise = factor(results.filter { !$0.changesPSF }.flatMap(\.deviations))
        calibration.deconvolve = factor(results.filter(\.changesPSF).flatMap(\.deviations))
        calibration.fine = factor(results.flatMap(\.fineDeviations))
        return calibration
    }
}
