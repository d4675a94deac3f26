public import Tensors

/// A convolutional auto-encoder of galaxy stamps: a latent vector in which alike galaxies are near each other, and the stamp
/// drawn again from it.
///
/// The kind ``AutoencoderConfiguration/Kind/attention`` has channel and spatial attention in its encoder, as Han et al. 2022 (arXiv
/// 2205.09760) use it to find outliers; the other kind is the same without it, and as many parameters.
///
/// ```swift
/// let network = try ConvolutionalAutoencoder(.standard(.attention), seed: 1, backend: CPUBackend(threads: 1))
/// let loss = network.reconstruction(of: images).meanSquaredError(images)
/// ```
public struct ConvolutionalAutoencoder: Module {
    public let configuration: AutoencoderConfiguration
    var encoder: [Convolution]
    /// Behind every layer of the encoder but the first; empty in the plain kind.
    var attention: [ConvolutionalAttention]
    var toLatent: Linear
    var fromLatent: Linear
    var decoder: [TransposedConvolution]
    var head: Convolution

    /// A network with random weights, for training.
    public init(_ configuration: AutoencoderConfiguration, seed: UInt64, backend: any Backend) throws(ModelError) {
        try self.init(configuration, from: .random(seed: seed, on: backend))
    }

    /// A network whose parameters come from a source.
    public init(_ configuration: AutoencoderConfiguration, from source: ParameterSource) throws(ModelError) {
        try configuration.validate()
        self.configuration = configuration
        let widths = configuration.widths
        let inputs = [configuration.channels] + widths
        encoder = widths.indices.map {
            Convolution(inputs[$0], widths[$0], stride: 2, from: source["encoder"][$0])
        }
        attention =
            configuration.kind == .plain
            ? [] : widths.indices.dropFirst().map { ConvolutionalAttention(widths[$0], from: source["attention"][$0]) }
        toLatent = Linear(configuration.coarseCount, configuration.latent, from: source["to_latent"])
        fromLatent = Linear(configuration.latent, configuration.coarseCount, from: source["from_latent"])
        let falling = Array(widths.reversed())
        decoder = falling.indices.dropLast().map {
            TransposedConvolution(falling[$0], falling[$0 + 1], from: source["decoder"][$0])
        }
        head = Convolution(widths[0], 4 * configuration.channels, gain: 0.5, from: source["head"])
    }

    /// The backend that the parameters live on.
    public var backend: any Backend { head.weight.backend }

    // MARK: - Forward

    /// Latent vectors (B, latent), float32.
    ///
    /// - Parameter images: (B, channels, size, size) float32, normalised as in training.
    public func latent(of images: Tensor, _ execution: Execution = Execution()) -> Tensor {
        encode(images, execution).latent
    }

    /// The stamps drawn from their latent vectors, (B, channels, size, size) float32.
    public func reconstruction(of images: Tensor, _ execution: Execution = Execution()) -> Tensor {
        decode(latent(of: images, execution), execution)
    }

    /// Where the encoder looks: the weights of places behind its second layer, (B, 1, size / 4, size / 4) float32, in 0 … 1; nil
    /// without attention.
    public func attentionMap(of images: Tensor, _ execution: Execution = Execution()) -> Tensor? {
        encode(images, execution).places?.cast(to: .float32)
    }

    private func encode(_ images: Tensor, _ execution: Execution) -> (latent: Tensor, places: Tensor?) {
        var x = images.cast(to: execution.precision.activations)
        var finest: Tensor?
        for (index, convolution) in encoder.enumerated() {
            x = convolution(x, activation: .relu)
            guard index > 0, !attention.isEmpty else { continue }
            let (weighted, places) = attention[index - 1](x)
            x = weighted
            finest = finest ?? places
        }
        return (toLatent(x.reshape([x.shape[0], configuration.coarseCount]), output: .float32), finest)
    }

    /// Stamps from latent vectors.
    ///
    /// - Parameter latent: (B, latent)
    public func decode(_ latent: Tensor, _ execution: Execution = Execution()) -> Tensor {
        let side = configuration.coarseSize
        var x = fromLatent(latent.cast(to: execution.precision.activations)).relu()
            .reshape([latent.shape[0], configuration.widths[configuration.widths.count - 1], side, side])
        for layer in decoder { x = layer(x) }
        return head(x).cast(to: .float32).pixelShuffle(2)
    }

    /// Latent vectors of stamps, count × latent.
    ///
    /// - Parameter stamps: count × channels × size × size numbers, normalised.
    public func embed(_ stamps: [Float], count: Int, _ execution: Execution = Execution()) -> [Float] {
        guard count > 0 else { return [] }
        return latent(of: images(stamps, count), execution).floats()
    }

    /// Stamps as the network takes them.
    public func images(_ stamps: [Float], _ count: Int) -> Tensor {
        Tensor(stamps, shape: [count, configuration.channels, configuration.size, configuration.size], on: backend)
    }

    // MARK: - Parameters

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        for index in encoder.indices { try encoder[index].forEachParameter(at: "\(path)encoder.\(index).", body) }
        for index in attention.indices {
            try attention[index].forEachParameter(at: "\(path)attention.\(index + 1).", body)
        }
        try toLatent.forEachParameter(at: path + "to_latent.", body)
        try fromLatent.forEachParameter(at: path + "from_latent.", body)
        for index in decoder.indices { try decoder[index].forEachParameter(at: "\(path)decoder.\(index).", body) }
        try head.forEachParameter(at: path + "head.", body)
    }
}
