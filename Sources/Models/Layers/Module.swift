public import Tensors

/// A part of a network: it knows its parameters by name and how to compute its result from them.
///
/// Layers are values; their tensors are references. A data-parallel worker copies the network, puts the copy's
/// parameters on its own tape and computes with it, while all copies share the numbers:
///
/// ```swift
/// var watched = network
/// watched.watch(on: tape)
/// let gradients = tape.gradients(of: watched(images).meanSquaredError(target))
/// network.forEachParameter { parameter, tensor in print(parameter.name, gradients[tensor]!.shape) }
/// ```
///
/// Names are written out, not found by reflection, because they are a file format: those of checkpoints.
public protocol Module: Sendable {
    /// Visits all parameters in a fixed order; the body may replace a tensor.
    ///
    /// - Parameter path: what stands before the names of this module's parameters, such as `blocks.0.attn.`.
    mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void) rethrows
}

/// What a parameter is called and what it is for.
public struct Parameter: Sendable, Hashable {
    /// Uses of parameters.
    public enum Role: Sendable {
        /// Matrix of a product or convolution: runs in the compute precision, decays.
        case weight
        /// Added to a product.
        case bias
        /// Factor of a normalisation or a residual branch.
        case scale
        /// A learned token or position.
        case embedding
    }

    /// The name in checkpoints, such as `blocks.0.attn.qkv.weight`.
    public var name: String
    public var role: Role

    public init(_ name: String, _ role: Role) {
        self.name = name
        self.role = role
    }

    /// Whether weight decay applies. Biases, scales and embeddings have no reason to be small.
    public var decays: Bool { role == .weight }
}

extension Module {
    /// Visits all parameters in a fixed order; the body may replace a tensor.
    public mutating func forEachParameter(_ body: (Parameter, inout Tensor) throws -> Void) rethrows {
        try forEachParameter(at: "", body)
    }

    /// All parameters with their tensors, in the order of ``forEachParameter(at:_:)``.
    public var parameters: [(parameter: Parameter, tensor: Tensor)] {
        var copy = self
        var list: [(parameter: Parameter, tensor: Tensor)] = []
        copy.forEachParameter { list.append(($0, $1)) }
        return list
    }

    /// Number of trainable numbers.
    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.tensor.count } }

    /// Puts all parameters on a tape.
    public mutating func watch(on tape: Tape) {
        forEachParameter { _, tensor in tensor = tape.watch(tensor) }
    }

    /// A copy whose product weights are stored in the type of a precision's activations, or unchanged for
    /// ``Precision/int8``: its weights are rounded from what is best known of them. Everything else stays float32.
    public func converted(to precision: Precision) -> Self {
        guard precision != .int8 else { return self }
        var copy = self
        copy.forEachParameter { parameter, tensor in
            if parameter.role == .weight { tensor = tensor.detached.cast(to: precision.activations) }
        }
        return copy
    }
}
