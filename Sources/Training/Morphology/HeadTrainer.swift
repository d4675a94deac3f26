import Kernels
public import Models
import Tensors

/// Trains a head on frozen vectors: seconds for a thousand labels.
///
/// The training images are divided into folds; for each fold a head is trained on the others. What these heads say of images
/// that they have not seen calibrates the probabilities. The head that is returned learnt from all training images.
public struct HeadTrainer: Sendable {
    public let settings: HeadSettings
    let labels: MorphologyLabels
    let features: MorphologyFeatures
    let reference: [Int]

    /// What came out.
    public struct Result: Sendable {
        public var head: MorphologyHead
        public var calibration: MorphologyCalibration
        /// Which of the settings' strengths did best on held-out images.
        public var strength: Float
        /// Samples a second of the last training, all members together counting once.
        public var samplesPerSecond: Double
    }

    /// - Parameters:
    ///   - features: a row for each image of the labels.
    ///   - reference: images whose vectors, not labels, say how inputs are standardised: all that do not judge.
    public init(
        _ settings: HeadSettings, features: MorphologyFeatures, labels: MorphologyLabels, reference: [Int]
    ) {
        precondition(features.count == labels.count, "[HeadTrainer] expected a vector a label")
        self.settings = settings
        self.features = features
        self.labels = labels
        self.reference = reference
    }

    /// - Parameters:
    ///   - split: the test part is not looked at.
    ///   - progress: called with the share of the work that is done.
    public func train(_ split: LabelSplit, progress: (Double) -> Void = { _ in }) throws -> Result {
        let folds = split.folds(settings.folds, of: labels, seed: settings.seed).filter { !$0.isEmpty }
        var best = (strength: settings.strengths[0], calibration: MorphologyCalibration(), loss: Double.infinity)
        let runs = Double(folds.count > 1 ? folds.count * settings.strengths.count + 1 : 1)
        var done = 0.0
        for strength in settings.strengths where folds.count > 1 {
            var heldOut = HeldOutLogits()
            for fold in folds {
                let held = Set(fold)
                let head = try fit(split.train.filter { !held.contains($0) }, strength: strength).head
                heldOut.append(features.logits(head, fold), of: fold)
                done += 1
                progress(done / runs)
            }
            let fit = CalibrationFit(labels.target)
            let calibration = fit.fit(heldOut, labels)
            let loss = fit.loss(heldOut, labels, calibration)
            if loss < best.loss { best = (strength, calibration, loss) }
        }
        let (head, speed) = try fit(split.train, strength: best.strength)
        progress(1)
        return Result(
            head: head, calibration: best.calibration, strength: best.strength, samplesPerSecond: speed)
    }

    /// A head trained on some images.
    ///
    /// - Parameters:
    ///   - strength: see ``HeadSettings/strengths``.
    ///   - vectors: rows that say how inputs are standardised, in place of those of the reference.
    public func fit(
        _ indices: [Int], strength: Float = 1, standardisedBy vectors: [Float]? = nil
    ) throws -> (head: MorphologyHead, samplesPerSecond: Double) {
        let backend = CPUBackend(threads: 1)
        let head = MorphologyHead(
            features.width, hidden: settings.hidden, outputs: labels.target.outputCount, members: settings.members,
            from: .random(seed: settings.seed, on: backend))
        head.zeroOutputs()
        head.standardise(by: vectors ?? features.numbers(reference))
        let task = MorphologyHeadTask(
            target: labels.target, features: features, labels: labels.values, train: indices,
            dropout: settings.dropout, smoothing: settings.smoothing)
        let training = TrainerSettings(
            batchSize: min(settings.batchSize, max(8, indices.count)), steps: settings.steps,
            learningRate: settings.learningRate / strength, warmup: 0.05,
            optimizer: AdamW.Settings(weightDecay: settings.weightDecay * strength), maximumGradientNorm: 10,
            seed: settings.seed,
            workers: settings.workers)
        // Biases keep their rate: only weights are to stay small.
        var trainer = try Trainer(training, network: head, task: task) {
            MorphologyHead.isFixed($0) ? 0 : $0.decays ? 1 : strength
        }
        var speed = 0.0
        let trained = try trainer.run {
            speed = $0.samplesPerSecond
            return true
        }
        return (trained, speed)
    }
}

/// Logits of images that the network was not trained on.
package struct HeldOutLogits {
    var values: [Float] = []
    var indices: [Int] = []

    package init() {}

    package mutating func append(_ logits: [Float], of images: [Int]) {
        values += logits
        indices += images
    }
}
