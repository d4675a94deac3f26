public import Tensors

/// Pooled vectors to logits: standardisation, then a linear layer, or two with a GELU between them; several of them side by side
/// whose logits are averaged.
public struct MorphologyHead: Module {
    /// One of the classifiers.
    struct Member: Module {
        var hidden: Linear?
        var output: Linear

        init(_ inputs: Int, hidden width: Int, outputs: Int, from source: ParameterSource) {
            hidden = width > 0 ? Linear(inputs, width, from: source["hidden"]) : nil
            output = Linear(width > 0 ? width : inputs, outputs, from: source["output"])
        }

        mutating func forEachParameter(
            at path: String, _ body: (Parameter, inout Tensor) throws -> Void
        ) rethrows {
            try hidden?.forEachParameter(at: path + "hidden.", body)
            try output.forEachParameter(at: path + "output.", body)
        }
    }

    /// (width): what is subtracted from the input. Not trained.
    public var inputMean: Tensor
    /// (width): what the difference is multiplied by. Not trained.
    public var inputScale: Tensor
    var members: [Member]

    /// - Parameters:
    ///   - inputs: numbers in a vector.
    ///   - hidden: width between two layers; 0 for a linear head.
    ///   - members: classifiers that are averaged.
    public init(_ inputs: Int, hidden: Int, outputs: Int, members: Int = 1, from source: ParameterSource) {
        inputMean = source("input_mean", [inputs], .zeros)
        inputScale = source("input_scale", [inputs], .ones)
        self.members = (0..<members).map {
            Member(inputs, hidden: hidden, outputs: outputs, from: source["members"][$0])
        }
    }

    /// Sets the last layers to 0. Training from there answers nothing at random in directions that few labels say nothing about.
    public func zeroOutputs() {
        for member in members { member.output.weight.fill(0) }
    }

    /// Whether a parameter is part of the standardisation, which is set and not trained.
    public static func isFixed(_ parameter: Parameter) -> Bool {
        parameter.name.hasSuffix("input_mean") || parameter.name.hasSuffix("input_scale")
    }

    /// Sets the standardisation to that of some vectors: mean 0 and variance 1 in each channel.
    ///
    /// - Parameter features: count × width numbers.
    public func standardise(by features: [Float]) {
        let width = inputMean.count
        let count = features.count / width
        guard count > 1 else { return }
        var (sums, squares) = ([Double](repeating: 0, count: width), [Double](repeating: 0, count: width))
        for row in 0..<count {
            for channel in 0..<width { sums[channel] += Double(features[row * width + channel]) }
        }
        let means = sums.map { $0 / Double(count) }
        for row in 0..<count {
            for channel in 0..<width {
                let difference = Double(features[row * width + channel]) - means[channel]
                squares[channel] += difference * difference
            }
        }
        let scales = squares.map { 1 / max(1e-4, ($0 / Double(count)).squareRoot()) }
        inputMean.copyValues(from: Tensor(means.map(Float.init), shape: [width], on: inputMean.backend))
        inputScale.copyValues(from: Tensor(scales.map(Float.init), shape: [width], on: inputScale.backend))
    }

    /// The logits of each member, (B, outputs).
    ///
    /// - Parameters:
    ///   - features: (B, width) float32.
    ///   - dropout: of the inputs and of what lies between two layers; each member drops others.
    public func memberLogits(
        _ features: Tensor, dropout: Float = 0, random: inout RandomNumbers
    ) -> [Tensor] {
        let x = (features - inputMean.detached) * inputScale.detached
        return members.map { member in
            let input = x.dropout(dropout, random: &random)
            guard let hidden = member.hidden else { return member.output(input) }
            return member.output(hidden(input).gelu().dropout(dropout, random: &random))
        }
    }

    /// The mean logits of the members, (B, outputs).
    public func callAsFunction(_ features: Tensor) -> Tensor {
        var random = RandomNumbers(seed: 0)
        let logits = memberLogits(features, random: &random)
        return logits.dropFirst().reduce(logits[0], +).scaled(by: 1 / Float(logits.count))
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try body(Parameter(path + "input_mean", .bias), &inputMean)
        try body(Parameter(path + "input_scale", .scale), &inputScale)
        for index in members.indices { try members[index].forEachParameter(at: "\(path)members.\(index).", body) }
    }
}
