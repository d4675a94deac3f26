import Foundation
public import Tensors

/// Where sources are, pixel by pixel: a small U-Net (Ronneberger et al. 2015, arXiv 1505.04597) with additive skips, whose maps are
/// those of Panoptic-DeepLab (Cheng et al. 2020, arXiv 1911.10194): source or not, centres, offset to the centre, class.
///
/// It sees the image in units of its noise, so that it works for any number of bands, any unit and any depth. The tokens of a
/// backbone are added where the grids meet, if the configuration says so.
///
/// ```swift
/// let maps = network(Tensor(network.input(significance, mask: mask), shape: [1, 2, 256, 256], on: backend))
/// ```
public struct DetectionNetwork: Module {
    /// Channels of the input.
    public static let inputChannels = 2
    /// What the channels of the result are.
    public enum Map: Int, CaseIterable, Sendable {
        /// Logit of the probability that a source covers the pixel.
        case source
        /// Logit of the probability that a source has its centre here.
        case centre
        /// Vector from the pixel to the centre of its source, in units of ``offsetScale``.
        case offsetX, offsetY
        /// Logits of the classes.
        case star, galaxy, artefact
    }
    /// Pixels in a unit of the offset maps.
    public static let offsetScale: Float = 8

    public internal(set) var configuration: DetectionConfiguration
    /// To the channels of each level, downwards from the second on.
    public var entries: [Convolution]
    public var encoders: [ResidualConvolutions]
    public var tokenProjection: Linear?
    /// From each level to the one above it.
    public var lifts: [Convolution]
    public var decoders: [Convolution]
    public var head: Convolution
    public var maps: Convolution

    /// A network with random weights, for training.
    public init(_ configuration: DetectionConfiguration, seed: UInt64, backend: any Backend) throws(ModelError) {
        try self.init(configuration, from: .random(seed: seed, on: backend))
    }

    public init(_ configuration: DetectionConfiguration, from source: ParameterSource) throws(ModelError) {
        try configuration.validate()
        self.configuration = configuration
        let widths = configuration.widths
        entries = widths.indices.map { level in
            Convolution(
                level == 0 ? Self.inputChannels : widths[level - 1], widths[level], stride: level == 0 ? 1 : 2,
                from: source["entries"][level])
        }
        encoders = widths.indices.map { ResidualConvolutions(widths[$0], from: source["encoders"][$0]) }
        tokenProjection = configuration.tokenLevel.flatMap { level in
            configuration.tokenWidth.map { Linear($0, widths[level], from: source["tokens"]) }
        }
        lifts = widths.indices.dropFirst().map {
            Convolution(widths[$0], widths[$0 - 1], kernel: 1, gain: 0.7, from: source["lifts"][$0 - 1])
        }
        decoders = widths.indices.dropLast().map { Convolution(widths[$0], widths[$0], from: source["decoders"][$0]) }
        head = Convolution(widths[0], configuration.headWidth, from: source["head"])
        // Most pixels are sky and hardly any is a centre: the loss begins small (Lin et al. 2017, arXiv 1708.02002).
        maps = Convolution(
            configuration.headWidth, Map.allCases.count, kernel: 1, gain: 0.02,
            biases: [-2, -4.5, 0, 0, 0, 0, 0], from: source["maps"])
    }

    /// The backend that the parameters live on.
    public var backend: any Backend { head.weight.backend }

    /// The input planes of an image: the pixels in units of their noise, their range compressed by `asinh`, and 1 where a pixel is masked.
    ///
    /// - Parameters: significance, mask: height × width; not 0 is masked.
    /// - Returns: 2 × height × width.
    public static func input(significance: [Float], mask: [UInt8]) -> [Float] {
        precondition(significance.count == mask.count, "[DetectionNetwork] expected a mask of the image's size")
        return [Float](unsafeUninitializedCapacity: 2 * mask.count) { out, count in
            for i in mask.indices {
                let isMasked = mask[i] != 0
                out[i] = isMasked ? 0 : Self.squash(significance[i])
                out[mask.count + i] = isMasked ? 1 : 0
            }
            count = 2 * mask.count
        }
    }

    /// asinh(x) / 2, bent so that it stays below 3: saturated stars are 10⁵ times their noise, and must not outshout the rest.
    private static func squash(_ x: Float) -> Float {
        let y = asinh(x) / 2
        return y / (1 + y * y / 9).squareRoot()
    }

    /// Maps (B, 7, H, W) in float32, in the order of ``Map``.
    ///
    /// - Parameters:
    ///   - images: (B, 2, H, W), as ``input(significance:mask:)`` makes them; H and W multiples of the configuration's stride.
    ///   - tokens: (B, H·W / tokenStride², tokenWidth), row by row; needed where the configuration has a token width.
    public func callAsFunction(
        _ images: Tensor, tokens: Tensor? = nil, _ execution: Execution = Execution()
    ) -> Tensor {
        let stride = configuration.stride
        precondition(
            images.rank == 4 && images.shape[1] == Self.inputChannels && images.shape[2] % stride == 0
                && images.shape[3] % stride == 0,
            "[DetectionNetwork] expected (B, 2, H, W) with sides of multiples of \(stride), got \(images.shape)")
        precondition(
            (tokens == nil) == (tokenProjection == nil), "[DetectionNetwork] tokens do not fit the configuration")
        var x = images.cast(to: execution.precision.activations)
        var skips: [Tensor] = []
        for level in entries.indices {
            x = entries[level](x, activation: .relu)
            if level == configuration.tokenLevel, let tokens, let tokenProjection {
                x = x + grid(tokenProjection(tokens.cast(to: x.dtype)), like: x)
            }
            x = encoders[level](x)
            skips.append(x)
        }
        for level in decoders.indices.reversed() {
            let above = skips[level]
            let lifted = lifts[level](x).resize(height: above.shape[2], width: above.shape[3], mode: .bilinear)
            x = decoders[level](above + lifted, activation: .relu)
        }
        return maps(head(x, activation: .relu)).cast(to: .float32)
    }

    /// Tokens (B, rows · columns, C) as an image (B, C, rows, columns).
    private func grid(_ tokens: Tensor, like image: Tensor) -> Tensor {
        let (rows, columns) = (image.shape[2], image.shape[3])
        precondition(
            tokens.shape[1] == rows * columns,
            "[DetectionNetwork] expected \(rows) × \(columns) tokens, got \(tokens.shape[1])")
        return tokens.permute([0, 2, 1]).reshape([tokens.shape[0], tokens.shape[2], rows, columns])
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        for i in entries.indices { try entries[i].forEachParameter(at: "\(path)entries.\(i).", body) }
        for i in encoders.indices { try encoders[i].forEachParameter(at: "\(path)encoders.\(i).", body) }
        if var projection = tokenProjection {
            try projection.forEachParameter(at: path + "tokens.", body)
            tokenProjection = projection
        }
        for i in lifts.indices { try lifts[i].forEachParameter(at: "\(path)lifts.\(i).", body) }
        for i in decoders.indices { try decoders[i].forEachParameter(at: "\(path)decoders.\(i).", body) }
        try head.forEachParameter(at: path + "head.", body)
        try maps.forEachParameter(at: path + "maps.", body)
    }
}
