public import Tensors

/// What a network for galaxy parameters is built from.
public struct ParameterConfiguration: Sendable, Codable, Hashable {
    /// Planes of a stamp.
    public var channels: Int
    /// Side of a stamp, a multiple of 16.
    public var side: Int
    /// Numbers beside the stamp.
    public var scalars: Int
    /// Which of them turn with the image: cosine and sine of twice an angle.
    public var turningScalars: [Int]
    /// Channels at 1/2, 1/4, 1/8 and 1/16 of the side.
    public var widths: [Int]
    /// Width of the dense layers.
    public var hidden: Int
    /// How wide predicted uncertainties must be made to be true.
    public var calibration: ParameterCalibration

    public init(
        channels: Int, side: Int, scalars: Int, turningScalars: [Int], widths: [Int] = [24, 48, 80, 112],
        hidden: Int = 256, calibration: ParameterCalibration = ParameterCalibration()
    ) {
        self.channels = channels
        self.side = side
        self.scalars = scalars
        self.turningScalars = turningScalars
        self.widths = widths
        self.hidden = hidden
        self.calibration = calibration
    }

    func validate() throws(ModelError) {
        guard channels > 0, scalars > 0, side > 0, side % 16 == 0, widths.count == 4, widths.allSatisfy({ $0 > 0 }),
            hidden > 0, turningScalars.count == 2, turningScalars.allSatisfy({ (0..<scalars).contains($0) })
        else { throw ModelError(.invalidConfiguration, reason: "impossible sizes: \(self)") }
    }
}

/// Predicts magnitude, size and shape of a galaxy with their uncertainties from a stamp and a few numbers.
///
/// Convolutions with stride halve the stamp four times; what is left is joined with the numbers and goes through two dense
/// layers. The result is a mean and a logarithm of the variance for each of ``outputs``: a normal distribution, trained by its
/// likelihood (Nix & Weigend 1994, doi:10.1109/ICNN.1994.374138).
public struct ParameterNetwork: Module {
    /// What is predicted, in this order: magnitude minus that of the reference flux; natural logarithm of the half-light
    /// radius in stamp pixels; logarithm of the Sérsic index; logit of the axis ratio; (1 − q) / (1 + q) times cosine and sine of
    /// twice the angle of the major axis from +x towards +y; bulge's share of the light.
    public static let outputs = [
        "magnitude", "log_radius", "log_index", "logit_axis_ratio", "shape_1", "shape_2", "bulge_fraction",
    ]
    /// Places of the two outputs that turn with the image.
    public static let turningOutputs = (cosine: 4, sine: 5)

    public let configuration: ParameterConfiguration
    private var convolutions: [Convolution]
    private var numbers: Linear
    private var joined: Linear
    private var dense: Linear
    private var head: Linear

    /// A network with random weights, for training.
    public init(_ configuration: ParameterConfiguration, seed: UInt64, backend: any Backend) throws(ModelError) {
        try self.init(configuration, from: .random(seed: seed, on: backend))
    }

    /// A network whose parameters come from a source.
    public init(_ configuration: ParameterConfiguration, from source: ParameterSource) throws(ModelError) {
        try configuration.validate()
        self.configuration = configuration
        var (channels, layers): (Int, [Convolution]) = (configuration.channels, [])
        for (index, width) in configuration.widths.enumerated() {
            layers.append(
                Convolution(
                    channels, width, kernel: index == 0 ? 5 : 3, stride: 2, from: source["convolutions"][2 * index]))
            layers.append(Convolution(width, width, kernel: 3, stride: 1, from: source["convolutions"][2 * index + 1]))
            channels = width
        }
        convolutions = layers
        let (cells, hidden) = (configuration.side / 16, configuration.hidden)
        numbers = Linear(configuration.scalars, 64, from: source["numbers"])
        joined = Linear(channels * cells * cells + 64, hidden, from: source["joined"])
        dense = Linear(hidden, hidden, from: source["dense"])
        head = Linear(hidden, 2 * Self.outputs.count, from: source["head"])
    }

    /// The backend that the parameters live on.
    public var backend: any Backend { head.weight.backend }

    /// Means and logarithms of the variances, each (B, ``outputs``).
    ///
    /// - Parameters:
    ///   - images: (B, channels, side, side).
    ///   - scalars: (B, scalars).
    public func callAsFunction(_ images: Tensor, scalars: Tensor) -> (mean: Tensor, logVariance: Tensor) {
        let batch = images.shape[0]
        var x = images
        for (index, layer) in convolutions.enumerated() {
            // The second of each pair adds to what it reads.
            x = index % 2 == 0 ? layer(x).gelu() : x + layer(x).gelu()
        }
        let features = Tensor.concat([x.reshape([batch, -1]), numbers(scalars).gelu()], axis: 1)
        let first = joined(features).gelu()
        let second = first + dense(first).gelu()
        let result = head(second)
        let count = Self.outputs.count
        // The logarithm of the variance stays within −12 … 4.
        let spread = result.slice(axis: 1, count..<2 * count).scaled(by: 0.125).tanh().affine(scale: 8, offset: -4)
        return (result.slice(axis: 1, 0..<count), spread)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        for index in convolutions.indices {
            try convolutions[index].forEachParameter(at: "\(path)convolutions.\(index).", body)
        }
        try numbers.forEachParameter(at: path + "numbers.", body)
        try joined.forEachParameter(at: path + "joined.", body)
        try dense.forEachParameter(at: path + "dense.", body)
        try head.forEachParameter(at: path + "head.", body)
    }

    /// A convolution that keeps its input's size, or halves it.
    private struct Convolution: Module {
        /// (outputs, inputs, kernel, kernel)
        var weight: Tensor
        var bias: Tensor
        let stride: Int

        init(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int, from source: ParameterSource) {
            weight = source("weight", [outputs, inputs, kernel, kernel], .glorotUniform)
            bias = source("bias", [outputs], .zeros)
            self.stride = stride
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            x.conv2d(weight, bias: bias, stride: stride, padding: weight.shape[2] / 2)
        }

        mutating func forEachParameter(
            at path: String, _ body: (Parameter, inout Tensor) throws -> Void
        ) rethrows {
            try body(Parameter(path + "weight", .weight), &weight)
            try body(Parameter(path + "bias", .bias), &bias)
        }
    }
}
