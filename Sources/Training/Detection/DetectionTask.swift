import Kernels
public import Models
import Synchronization
public import Tensors

/// Teaches a ``DetectionNetwork`` to find the sources of simulated fields.
///
/// The loss adds up binary cross-entropy of the source map, the penalty-reduced focal loss of the centres (Zhou et al. 2019, arXiv
/// 1904.07850, equation 1), Huber's loss of the offsets and cross-entropy of the classes.
public struct DetectionTask: TrainingTask {
    public let examples: [DetectionExample]
    public let validationExamples: [DetectionExample]
    /// Side of the views that are trained on, pixels.
    public let side: Int

    /// - Parameter side: a multiple of the network's stride.
    public init(examples: [DetectionExample], validation: [DetectionExample], side: Int = 128) {
        self.examples = examples
        validationExamples = validation
        self.side = side
    }

    public var sampleCount: Int { examples.count }

    public func loss(_ network: DetectionNetwork, _ samples: [TrainingSample], _ execution: Execution) -> Tensor {
        let views = samples.map { sample in
            var random = sample.random
            return DetectionTargets(of: examples[sample.index], side: side, random: &random)
        }
        return Self.loss(network, views, execution)
    }

    /// The mean loss of the middles of the validation fields.
    public func validation(_ network: DetectionNetwork, _ execution: Execution, _ parallel: DataParallel) -> Double? {
        guard !validationExamples.isEmpty else { return nil }
        let losses = Mutex([Double](repeating: 0, count: validationExamples.count))
        parallel.pool.parallelFor(validationExamples.count) { index in
            let view = DetectionTargets(middleOf: validationExamples[index], side: side)
            let loss = Double(Self.loss(network, [view], execution).scalar)
            losses.withLock { $0[index] = loss }
        }
        return losses.withLock { $0.reduce(0, +) } / Double(validationExamples.count)
    }

    /// The loss of some views of one size.
    static func loss(_ network: DetectionNetwork, _ views: [DetectionTargets], _ execution: Execution) -> Tensor {
        let (backend, batch, side) = (network.backend, views.count, views[0].side)
        func tensor(_ planes: Int, _ part: (DetectionTargets) -> [Float]) -> Tensor {
            Tensor(views.flatMap(part), shape: [batch, planes, side, side], on: backend)
        }
        let maps = network(tensor(DetectionNetwork.inputChannels) { $0.input }, execution)
        func logits(_ first: DetectionNetwork.Map, _ last: DetectionNetwork.Map) -> Tensor {
            maps.slice(axis: 1, first.rawValue..<(last.rawValue + 1))
        }
        let source = logits(.source, .source)
            .binaryCrossEntropy(tensor(1) { $0.source }, mask: tensor(1) { $0.sourceWeight })
        let offset = logits(.offsetX, .offsetY)
            .huberLoss(tensor(2) { $0.offset }, delta: 0.5, mask: tensor(1) { $0.offsetWeight })
        return source + centreLoss(logits(.centre, .centre), views, tensor)
            + offset.scaled(by: 2) + classLoss(logits(.star, .artefact), views).scaled(by: 0.3)
    }

    /// −Σ (1 − p)² log p over centres, −Σ (1 − h)⁴ p² log(1 − p) elsewhere, over the number of centres; over 8 a view where there are
    /// fewer, so that an empty field weighs no more than others. Logits are bent to within ± 8: beyond, the loss of a single saturated
    /// star would rule a step.
    private static func centreLoss(
        _ raw: Tensor, _ views: [DetectionTargets], _ tensor: (Int, (DetectionTargets) -> [Float]) -> Tensor
    ) -> Tensor {
        let logits = raw.scaled(by: 1.0 / 8).tanh().scaled(by: 8)
        let centres = views.reduce(Float(0)) { $0 + $1.centre.reduce(0, +) }
        let weights = tensor(1) { view in
            zip(view.heat, view.background).map { heat, weight in
                let far = 1 - heat
                return far * far * far * far * weight
            }
        }
        let probability = logits.sigmoid()
        let positive = (1 - probability).square() * (-logits).softplus() * tensor(1) { $0.centre }
        let negative = probability.square() * logits.softplus() * weights
        return (positive + negative).sum().scaled(by: 1 / max(8 * Float(views.count), centres))
    }

    /// Cross-entropy over the pixels that have a class, each class with the weight of its pixels' square root: stars have few.
    private static func classLoss(_ logits: Tensor, _ views: [DetectionTargets]) -> Tensor {
        let (batch, pixels) = (views.count, views[0].side * views[0].side)
        var targets = [Float](repeating: 0, count: batch * pixels * 3)
        var sums: [Float] = [0, 0, 0]
        for (sample, view) in views.enumerated() {
            for map in 0..<3 {
                for i in 0..<pixels where view.classes[map * pixels + i] > 0 {
                    targets[(sample * pixels + i) * 3 + map] = 1
                    sums[map] += 1
                }
            }
        }
        let factors = sums.map { $0 > 0 ? 1 / ($0 * sums.reduce(0, +)).squareRoot() : 0 }
        for i in targets.indices where targets[i] > 0 { targets[i] = factors[i % 3] }
        let rows = logits.permute([0, 2, 3, 1]).reshape([batch * pixels, 3]).logSoftmax()
        return -(rows * Tensor(targets, shape: [batch * pixels, 3], on: logits.backend)).sum()
    }
}
