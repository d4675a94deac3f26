#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A record of operations, for reverse-mode differentiation.
///
/// Tensors that were ``watch(_:)``ed, and everything computed from them, are on the tape; operations on other tensors
/// are not recorded and cost nothing extra. ``gradients(of:)`` walks the record backwards once; each operation's saved
/// activations are freed as soon as the walk has passed it, so that memory falls while gradients appear.
///
/// A tape belongs to the thread that made it. Data-parallel workers have a tape each and share the parameters:
///
/// ```swift
/// let tape = Tape()
/// var model = shared                            // a value; its tensors are references
/// model.forEachParameter { tensor in tensor = tape.watch(tensor) }
/// let loss = model(images).meanSquaredError(target)
/// let gradients = tape.gradients(of: loss)
/// let gradient = gradients[shared.patch.weight]  // looked up by storage: the watched and the unwatched tensor agree
/// ```
///
/// Sendable because tensors are: a tensor on a tape carries a reference to it. Using it from another thread traps.
public final class Tape: @unchecked Sendable {
    /// Computes the gradients of an operation's inputs from the gradient of its result. The second argument says
    /// which inputs need one; the others may be nil.
    typealias Derivative = (_ gradient: Tensor, _ needs: [Bool]) -> [Tensor?]

    private struct Node {
        var inputs: [Int]
        var derivative: Derivative?
    }

    private var nodes: [Node] = []
    private var leaves: [ObjectIdentifier: Int] = [:]
    private var leafTensors: [Tensor] = []
    private let thread = pthread_self()

    /// An empty tape that belongs to the calling thread.
    public init() {}

    /// Number of recorded operations and watched tensors.
    public var count: Int { nodes.count }

    /// Returns the tensor, on this tape: derivatives with respect to it will be computed.
    ///
    /// Watching a tensor twice gives the same position, so gradients of shared parameters add up.
    public func watch(_ tensor: Tensor) -> Tensor {
        checkThread()
        require(tensor.dtype.isFloatingPoint, "watch", expected: "a floating-point tensor", got: tensor.dtype.rawValue)
        let key = ObjectIdentifier(tensor.storage)
        let index: Int
        if let known = leaves[key] {
            index = known
        } else {
            index = nodes.count
            nodes.append(Node(inputs: [], derivative: nil))
            leaves[key] = index
            leafTensors.append(tensor.detached)
        }
        return Tensor(
            shape: tensor.shape, dtype: tensor.dtype, storage: tensor.storage,
            tapePosition: TapePosition(tape: self, index: index))
    }

    /// Derivatives of a scalar with respect to all watched tensors that it depends on. Empties the tape.
    ///
    /// - Parameter seed: the derivative that the scalar itself has, usually 1; data-parallel workers pass the share
    ///   of the batch that is theirs.
    public func gradients(of loss: Tensor, seed: Float = 1) -> Gradients {
        checkThread()
        require(loss.count == 1, "gradients", expected: "a scalar", got: "shape \(loss.shape)")
        return gradients(
            of: loss.detached, at: loss.tapePosition,
            seed: Tensor.full(loss.shape, seed, dtype: loss.dtype, on: loss.backend))
    }

    /// The product of a given gradient of `result` with its derivative, for all watched tensors. Empties the tape.
    public func gradients(of result: Tensor, seed: Tensor) -> Gradients {
        checkThread()
        require(seed.shape == result.shape, "gradients", expected: "shape \(result.shape)", got: "\(seed.shape)")
        return gradients(of: result, at: result.tapePosition, seed: seed.detached)
    }

    private func gradients(of result: Tensor, at position: TapePosition?, seed: Tensor) -> Gradients {
        guard let position, position.tape === self else {
            preconditionFailure("[gradients] expected a tensor on this tape, got one that depends on nothing watched")
        }
        var slots = [Tensor?](repeating: nil, count: nodes.count)
        slots[position.index] = seed
        var byStorage: [ObjectIdentifier: Tensor] = [:]
        for index in stride(from: position.index, through: 0, by: -1) {
            guard let derivative = nodes[index].derivative else { continue }
            let inputs = nodes[index].inputs
            nodes[index].derivative = nil
            guard let gradient = slots[index] else { continue }
            slots[index] = nil
            let contributions = derivative(consume gradient, inputs.map { $0 >= 0 })
            for (input, contribution) in zip(inputs, contributions) where input >= 0 {
                if let contribution { Self.add(contribution, to: &slots[input]) }
            }
        }
        for (key, index) in leaves { byStorage[key] = slots[index] }
        reset()
        return Gradients(byStorage: byStorage)
    }

    /// Adds in place where the sum so far belongs to nobody else.
    private static func add(_ contribution: Tensor, to slot: inout Tensor?) {
        guard slot != nil else {
            slot = contribution
            return
        }
        if slot!.dtype == .float32, contribution.dtype == .float32, isKnownUniquelyReferenced(&slot!.storage) {
            slot!.addInPlace(contribution)
        } else {
            slot = slot! + contribution
        }
    }

    /// Forgets everything recorded and watched.
    public func reset() {
        nodes.removeAll(keepingCapacity: true)
        leaves.removeAll(keepingCapacity: true)
        leafTensors.removeAll(keepingCapacity: true)
    }

    /// Appends an operation; `inputs` are positions on this tape, or -1 for constants.
    func record(inputs: [Int], derivative: @escaping Derivative) -> TapePosition {
        checkThread()
        nodes.append(Node(inputs: inputs, derivative: derivative))
        return TapePosition(tape: self, index: nodes.count - 1)
    }

    private func checkThread() {
        precondition(pthread_equal(thread, pthread_self()) != 0, "[Tape] expected the thread that made the tape")
    }
}

/// Where a tensor stands on a tape.
struct TapePosition: Sendable {
    let tape: Tape
    let index: Int
}

/// The derivatives that a backward pass found.
public struct Gradients: Sendable {
    let byStorage: [ObjectIdentifier: Tensor]

    /// The derivative with respect to a watched tensor, or nil if the result does not depend on it.
    public subscript(_ tensor: Tensor) -> Tensor? {
        guard let gradient = byStorage[ObjectIdentifier(tensor.storage)] else { return nil }
        return gradient.shape == tensor.shape
            ? gradient : Tensor(shape: tensor.shape, dtype: gradient.dtype, storage: gradient.storage)
    }

    /// Number of watched tensors that have a derivative.
    public var count: Int { byStorage.count }
}

extension Tensor {
    /// Puts this result of an operation on its inputs' tape, if any of them is on one.
    ///
    /// The derivative must capture detached tensors only: a captured position would keep the tape alive in a cycle.
    func recorded(from inputs: [Tensor], derivative: @escaping Tape.Derivative) -> Tensor {
        var tape: Tape?
        for input in inputs {
            guard let position = input.tapePosition else { continue }
            precondition(tape == nil || tape === position.tape, "[Tape] expected inputs on one tape, got two tapes")
            tape = position.tape
        }
        guard let tape else { return self }
        let position = tape.record(inputs: inputs.map { $0.tapePosition?.index ?? -1 }, derivative: derivative)
        return Tensor(shape: shape, dtype: dtype, storage: storage, tapePosition: position)
    }
}
