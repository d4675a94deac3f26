import Foundation
import ImageProcessing
public import Models
public import Tensors

/// Training of a restoration network: observations made on the fly from noiseless scenes.
///
/// The network corrects an estimate; what it is to say is (truth − base) / scale, with its variance. The loss has two parts. The
/// logarithm of each stamp's mean squared error, in flux, is minus its PSNR but for a constant (arXiv 2204.04676 trains with it):
/// bright and faint stamps count alike, and within a stamp each pixel by its error. The Gaussian negative log likelihood, each
/// pixel weighted by the stated standard deviation as a constant (β-NLL with β = ½, arXiv 2203.09168: without the weight, pixels
/// that are hard at first are given up), teaches variances and the faint light. In the first tenth of the run Huber's loss
/// stands for it, because variances mean nothing before there is an estimate.
public struct RestorationTask: TrainingTask {
    public let scenes: RestorationScenes
    /// Side of the stamps, pixels; a multiple of 8.
    public let side: Int
    /// Positions in the run before which the loss is Huber's.
    public let warmup: Int
    /// Observations that no weight is fitted to.
    public let validation: [Observation]

    public init(scenes: RestorationScenes, side: Int = 96, warmup: Int, validation: [Observation]) {
        precondition(side.isMultiple(of: RestorationConfiguration.multiple), "[RestorationTask] got side \(side)")
        self.scenes = scenes
        self.side = side
        self.warmup = warmup
        self.validation = validation
    }

    public var sampleCount: Int { scenes.count }

    /// Observations of scenes, each of its own kind; the same for the same seed.
    public static func observations(
        of scenes: RestorationScenes, count: Int, side: Int, seed: UInt64
    ) throws -> [Observation] {
        try (0..<count).map { index in
            var random = RandomNumbers(seed: seed, stream: 1 << 62 | UInt64(index))
            let settings = ObservationSettings(drawnFrom: &random)
            return try Observation(of: scenes.scenes[index % scenes.count], side: side, settings, random: &random)
        }
    }

    public func loss(
        _ network: RestorationNetwork, _ samples: [TrainingSample], _ execution: Execution
    ) throws -> Tensor {
        var batch = RestorationBatch(side: side)
        for sample in samples {
            var random = sample.random
            let settings = ObservationSettings(drawnFrom: &random)
            batch.add(try Observation(of: scenes.scenes[sample.index], side: side, settings, random: &random))
        }
        let tensors = batch.tensors(on: network.backend)
        let answer = network(tensors.planes, fine: true, execution)
        let detail = answer.fineCorrection!.withoutPixelMeans()
        let artefacts = answer.artefact.binaryCrossEntropy(tensors.artefacts)
        let stamps = ((answer.correction - tensors.target) * tensors.importance).square().mean(axes: [1, 2, 3])
        let error = stamps.affine(scale: 1, offset: 1e-3).log().mean().scaled(by: 0.5)
        if samples[0].position < warmup {
            return error + answer.correction.huberLoss(tensors.target) + detail.huberLoss(tensors.fineTarget)
                + artefacts.scaled(by: 0.2)
        }
        return error + answer.correction.weightedLikelihood(tensors.target, logVariance: answer.logVariance)
            + detail.weightedLikelihood(tensors.fineTarget, logVariance: answer.fineLogVariance!).scaled(by: 0.5)
            + artefacts.scaled(by: 0.2)
    }

    /// Minus the mean peak signal-to-noise ratio in dB (peak: the truth's largest pixel).
    public func validation(
        _ network: RestorationNetwork, _ execution: Execution, _ parallel: DataParallel
    ) throws -> Double? {
        guard !validation.isEmpty else { return nil }
        let results = RestorationValidation.restored(validation, by: network, execution, pool: parallel.pool)
        return -results.reduce(0) { $0 + $1.peakSignalToNoise } / Double(results.count)
    }
}

extension Tensor {
    /// (B, 1, 2H, 2W) minus its means over 2 × 2 pixels.
    func withoutPixelMeans() -> Tensor { self - averagePool2d(2).upsample(2) }

    /// Gaussian negative log likelihood, each element weighted by its standard deviation, which gets no derivative.
    func weightedLikelihood(_ target: Tensor, logVariance: Tensor) -> Tensor {
        let weight = logVariance.detached.scaled(by: 0.5).exp()
        let value = (logVariance + (self - target).square() * (-logVariance).exp()) * weight
        return value.mean().scaled(by: 0.5)
    }
}
