public import Models
public import Tensors

/// One sample of a batch: which one, and the random numbers that belong to its place in the run.
///
/// Both are functions of the run's seed and the position only, so an interrupted run sees the same samples.
public struct TrainingSample: Sendable {
    /// Place in the run, 0, 1, …: for data that are made, not stored.
    public let position: Int
    /// Number of the sample, 0 ..< ``TrainingTask/sampleCount``; each epoch has an order of its own.
    public let index: Int
    /// For its augmentation.
    public var random: RandomNumbers
    /// For anything else, such as a mask.
    public var auxiliaryRandom: RandomNumbers
}

/// What a ``Trainer`` minimises.
///
/// Workers call ``loss(_:_:_:)`` at the same time, each with a copy of the network whose parameters are on its own tape.
public protocol TrainingTask<Network>: Sendable {
    associatedtype Network: Module
    /// Samples of an epoch.
    var sampleCount: Int { get }
    /// The mean loss of some samples: a scalar.
    func loss(_ network: Network, _ samples: [TrainingSample], _ execution: Execution) throws -> Tensor
    /// What is to be small on samples that the network is not trained on; nil if there are none.
    ///
    /// It decides which state of the network is kept: the one where it was smallest.
    func validation(_ network: Network, _ execution: Execution, _ parallel: DataParallel) throws -> Double?
}

extension TrainingTask {
    public func validation(_ network: Network, _ execution: Execution, _ parallel: DataParallel) throws -> Double? {
        nil
    }
}
