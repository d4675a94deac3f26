public import Tensors

/// A light residual network in the form of a U (arXiv 1505.04597) that corrects linear estimates of an image.
///
/// Pixels become four channels at half the resolution, which saves three quarters of the time; two further levels see the
/// surroundings. The corrections begin as zero, so an untrained network returns the linear estimate.
public struct RestorationNetwork: Module {
    public let configuration: RestorationConfiguration
    var stem: Convolution
    var encoderHalf: ResidualConvolutions
    var downQuarter: Convolution
    var encoderQuarter: ResidualConvolutions
    var downEighth: Convolution
    var middle: [ResidualConvolutions]
    var upQuarter: Convolution
    var decoderQuarter: ResidualConvolutions
    var upHalf: Convolution
    var decoderHalf: ResidualConvolutions
    var head: Convolution
    var fineHead: Convolution

    /// A network with random weights, for training.
    public init(_ configuration: RestorationConfiguration, seed: UInt64, backend: any Backend) throws(ModelError) {
        try self.init(configuration, from: .random(seed: seed, on: backend))
    }

    /// A network whose parameters come from a source.
    public init(_ configuration: RestorationConfiguration, from source: ParameterSource) throws(ModelError) {
        try configuration.validate()
        self.configuration = configuration
        let (half, quarter, eighth) = (configuration.widths[0], configuration.widths[1], configuration.widths[2])
        stem = Convolution(4 * configuration.channels, half, from: source["stem"])
        encoderHalf = ResidualConvolutions(half, gain: 0, rectifies: false, from: source["encoder_half"])
        downQuarter = Convolution(half, quarter, kernel: 2, stride: 2, padding: 0, from: source["down_quarter"])
        encoderQuarter = ResidualConvolutions(quarter, gain: 0, rectifies: false, from: source["encoder_quarter"])
        downEighth = Convolution(quarter, eighth, kernel: 2, stride: 2, padding: 0, from: source["down_eighth"])
        middle = (0..<configuration.middleBlocks).map {
            ResidualConvolutions(eighth, gain: 0, rectifies: false, from: source["middle"][$0])
        }
        upQuarter = Convolution(eighth, 4 * quarter, kernel: 1, from: source["up_quarter"])
        decoderQuarter = ResidualConvolutions(quarter, gain: 0, rectifies: false, from: source["decoder_quarter"])
        upHalf = Convolution(quarter, 4 * half, kernel: 1, from: source["up_half"])
        decoderHalf = ResidualConvolutions(half, gain: 0, rectifies: false, from: source["decoder_half"])
        head = Convolution(half, 12, gain: 0, from: source["head"])
        fineHead = Convolution(half, 32, gain: 0, from: source["fine_head"])
    }

    /// The backend that the parameters live on.
    public var backend: any Backend { stem.weight.backend }

    /// What the network says of an image, all float32.
    public struct Answer: Sendable {
        /// (B, 1, H, W): the correction in units of the scale.
        public var correction: Tensor
        /// (B, 1, H, W): logarithm of its variance.
        public var logVariance: Tensor
        /// (B, 1, H, W): logit of the probability that a pixel is an artefact.
        public var artefact: Tensor
        /// (B, 1, 2H, 2W): the correction of the detail within pixels; its mean in a pixel has no meaning. Nil unless asked.
        public var fineCorrection: Tensor?
        /// (B, 1, 2H, 2W)
        public var fineLogVariance: Tensor?
    }

    /// - Parameters:
    ///   - images: (B, channels, H, W) float32, sides multiples of 8.
    ///   - fine: whether detail within pixels is wanted.
    public func callAsFunction(_ images: Tensor, fine: Bool, _ execution: Execution = Execution()) -> Answer {
        let x = images.cast(to: execution.precision.activations)
        let (batch, channels, height, width) = (x.shape[0], x.shape[1], x.shape[2] / 2, x.shape[3] / 2)
        let folded = x.reshape([batch, channels, height, 2, width, 2]).permute([0, 1, 3, 5, 2, 4])
            .reshape([batch, 4 * channels, height, width])
        let half = encoderHalf(stem(folded, activation: .relu))
        let quarter = encoderQuarter(downQuarter(half, activation: .relu))
        var eighth = downEighth(quarter, activation: .relu)
        for block in middle { eighth = block(eighth) }
        let decodedQuarter = decoderQuarter(quarter + upQuarter(eighth).pixelShuffle(2))
        let decoded = decoderHalf(half + upHalf(decodedQuarter).pixelShuffle(2)).relu()
        let answer = head(decoded).cast(to: .float32).pixelShuffle(2)
        var result = Answer(
            correction: answer.slice(axis: 1, 0..<1), logVariance: Self.bounded(answer.slice(axis: 1, 1..<2)),
            artefact: answer.slice(axis: 1, 2..<3))
        if fine {
            let detail = fineHead(decoded).cast(to: .float32).pixelShuffle(4)
            result.fineCorrection = detail.slice(axis: 1, 0..<1)
            result.fineLogVariance = Self.bounded(detail.slice(axis: 1, 1..<2))
        }
        return result
    }

    /// Within ± 9, so that no variance runs away.
    private static func bounded(_ x: Tensor) -> Tensor { x.scaled(by: 1 / 9).tanh().scaled(by: 9) }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try stem.forEachParameter(at: path + "stem.", body)
        try encoderHalf.forEachParameter(at: path + "encoder_half.", body)
        try downQuarter.forEachParameter(at: path + "down_quarter.", body)
        try encoderQuarter.forEachParameter(at: path + "encoder_quarter.", body)
        try downEighth.forEachParameter(at: path + "down_eighth.", body)
        for index in middle.indices { try middle[index].forEachParameter(at: "\(path)middle.\(index).", body) }
        try upQuarter.forEachParameter(at: path + "up_quarter.", body)
        try decoderQuarter.forEachParameter(at: path + "decoder_quarter.", body)
        try upHalf.forEachParameter(at: path + "up_half.", body)
        try decoderHalf.forEachParameter(at: path + "decoder_half.", body)
        try head.forEachParameter(at: path + "head.", body)
        try fineHead.forEachParameter(at: path + "fine_head.", body)
    }

    // MARK: - Files

    /// What the files of these networks are for.
    public static let task = "restoration"

    /// Reads a network that ``save(to:calibration:metadata:)`` wrote.
    public static func load(path: String, backend: any Backend) throws(ModelError) -> RestorationNetwork {
        try ModelFile.load(path: path, task: task, backend: backend) {
            (configuration: RestorationConfiguration, source) throws(ModelError) in
            try RestorationNetwork(configuration, from: source)
        }.network
    }

    /// Writes the network with bfloat16 weights and the calibration of its standard deviations.
    public func save(
        to path: String, calibration: RestorationConfiguration.Calibration, metadata: [String: String] = [:]
    ) throws(ModelError) {
        var configuration = configuration
        configuration.calibration = calibration
        try ModelFile.save(
            self, task: Self.task, configuration: configuration, storage: .bfloat16, metadata: metadata, to: path)
    }
}
