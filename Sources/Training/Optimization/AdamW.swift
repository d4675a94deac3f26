import Kernels
public import Models
public import Tensors

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2).
///
/// Biases, norms and embeddings do not decay. The parameters are updated in place: every copy of the network that
/// shares the tensors sees the step.
public struct AdamW {
    /// Settings of the optimiser.
    public struct Settings: Sendable, Codable, Hashable {
        public var beta1: Float
        public var beta2: Float
        public var epsilon: Float
        public var weightDecay: Float

        public init(beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0.05) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
        }
    }

    /// A parameter with its running moments of the gradient.
    package struct Slot {
        package let parameter: Parameter
        package let tensor: Tensor
        package let firstMoment: Tensor
        package let secondMoment: Tensor
        /// Multiplies the learning rate.
        package let learningRateFactor: Float
    }

    public let settings: Settings
    /// Steps done.
    public internal(set) var step = 0
    package let slots: [Slot]

    /// An optimiser of all parameters of a network, before its first step.
    ///
    /// - Parameter learningRateFactor: of a parameter; 0 leaves it as it is.
    public init(
        _ module: some Module, _ settings: Settings = Settings(),
        learningRateFactor: (Parameter) -> Float = { _ in 1 }
    ) {
        self.settings = settings
        slots = module.parameters.map { parameter, tensor in
            Slot(
                parameter: parameter, tensor: tensor.detached, firstMoment: .zeros(tensor.shape, on: tensor.backend),
                secondMoment: .zeros(tensor.shape, on: tensor.backend),
                learningRateFactor: learningRateFactor(parameter))
        }
    }

    /// One step along the gradients, which are given in the order of the network's parameters.
    ///
    /// - Parameters:
    ///   - maximumNorm: gradients are scaled down together so that their norm does not exceed this.
    ///   - pool: parameters are divided over its threads; the result does not depend on their number.
    /// - Returns: the norm of the gradients before clipping.
    @discardableResult
    public mutating func update(
        _ gradients: [Tensor], learningRate: Float, maximumNorm: Float = .infinity, pool: WorkerPool
    ) -> Float {
        precondition(
            gradients.count == slots.count, "[AdamW] expected \(slots.count) gradients, got \(gradients.count)")
        step += 1
        let slices = ElementSlices(gradients)
        var squares = [Double](repeating: 0, count: slices.count)
        squares.withUnsafeMutableBufferPointer { squares in
            let squares = squares
            pool.parallelFor(slices.count) { index in
                let gradient = gradients[slices[index].tensor]
                squares[index] = gradient.backend.sumOfSquares(gradient, range: slices[index].range)
            }
        }
        let norm = Float(squares.reduce(0, +).squareRoot())
        let scale = norm > maximumNorm ? maximumNorm / norm : 1
        let (settings, step, slots) = (settings, step, slots)
        pool.parallelFor(slices.count) { index in
            let (tensor, range) = slices[index]
            let slot = slots[tensor]
            guard slot.learningRateFactor > 0 else { return }
            slot.tensor.backend.adamW(
                parameter: slot.tensor, gradient: gradients[tensor], firstMoment: slot.firstMoment,
                secondMoment: slot.secondMoment,
                step: AdamWStep(
                    learningRate: learningRate * slot.learningRateFactor, beta1: settings.beta1, beta2: settings.beta2,
                    epsilon: settings.epsilon, weightDecay: slot.parameter.decays ? settings.weightDecay : 0,
                    step: step, gradientScale: scale), range: range)
        }
        pool.parallelFor(slots.count) { slots[$0].tensor.backend.refreshPackedCopies(slots[$0].tensor) }
        return norm
    }
}
