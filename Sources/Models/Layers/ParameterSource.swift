public import Tensors

/// Where the tensors of a network come from while it is built: random numbers, or a checkpoint.
///
/// Each layer asks for its parameters by name, so construction and loading are one code path.
public struct ParameterSource {
    /// The value that a parameter has before training.
    public enum Initial {
        case zeros
        case ones
        /// Normal, cut at two standard deviations.
        case truncatedNormal(Float)
        /// Uniform within ± √(6 / (inputs + outputs)) (Glorot and Bengio 2010), for a weight (outputs, …inputs).
        case glorotUniform
        case values(() -> [Float])
    }

    let path: String
    private let make: (_ name: String, _ shape: [Int], _ initial: Initial) -> Tensor

    init(path: String = "", make: @escaping (_ name: String, _ shape: [Int], _ initial: Initial) -> Tensor) {
        self.path = path
        self.make = make
    }

    /// The source of a part's parameters.
    public subscript(_ part: String) -> ParameterSource { ParameterSource(path: "\(path)\(part).", make: make) }
    /// The source of a numbered part's parameters.
    public subscript(_ index: Int) -> ParameterSource { self["\(index)"] }

    /// The same source for parameters whose names begin with a prefix that is no part.
    func prefixed(_ prefix: String) -> ParameterSource { ParameterSource(path: path + prefix, make: make) }

    /// One parameter.
    public func callAsFunction(_ name: String, _ shape: [Int], _ initial: Initial) -> Tensor {
        make(path + name, shape, initial)
    }

    /// Fresh parameters. Each takes its own random stream in the order of construction, so a seed gives the same
    /// network everywhere.
    public static func random(seed: UInt64, on backend: any Backend) -> ParameterSource {
        var random = RandomNumbers(seed: seed)
        return ParameterSource { _, shape, initial in
            switch initial {
            case .zeros: return .zeros(shape, on: backend)
            case .ones: return .ones(shape, on: backend)
            case .truncatedNormal(let deviation):
                return .truncatedNormal(shape, standardDeviation: deviation, random: &random, on: backend)
            case .glorotUniform:
                let inputs = shape.dropFirst().reduce(1, *)
                let bound = (6 / Float(inputs + shape[0])).squareRoot()
                return .uniform(shape, low: -bound, high: bound, random: &random, on: backend)
            case .values(let values): return Tensor(values(), shape: shape, on: backend)
            }
        }
    }
}
