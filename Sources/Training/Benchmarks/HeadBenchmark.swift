import Kernels
import Models
public import Tensors

/// Measures how many samples a second small heads train on: dense layers on cached vectors, and a convolutional network on images.
///
/// A step is forward, backward, clipping and an AdamW update, data-parallel. benchmarks/training/heads.py measures the same with
/// PyTorch.
public struct HeadBenchmark: Sendable {
    /// What is trained.
    public enum Subject: String, Sendable, Codable, CaseIterable {
        /// 512 → 256 → 5 with GELU and cross-entropy, on a batch of 256 vectors.
        case dense
        /// A U-Net of 16 to 64 channels with 3 × 3 kernels on a batch of 16 images (3, 128, 128), mean squared error.
        case unet

        var batch: Int { self == .dense ? 256 : 16 }
    }

    /// One measurement.
    public struct Row: Sendable, Codable {
        public var subject: Subject
        public var precision: Precision
        public var workers: Int
        public var batch: Int
        public var samplesPerSecond: Double
        /// Of the time of all workers, from a run of its own with the profiler on.
        public var breakdown: [BackboneBenchmark.Share]
    }

    public var workers: Int
    /// Time to spend on each row.
    public var secondsPerRow: Double

    public init(workers: Int, secondsPerRow: Double) {
        self.workers = workers
        self.secondsPerRow = secondsPerRow
    }

    /// Measures one row; the rate is that of the median step.
    public func run(_ subject: Subject, _ precision: Precision) throws -> Row {
        let backend = CPUBackend(threads: 1)
        let step = try self.step(subject, precision, backend)
        let timing = try StepTiming(seconds: secondsPerRow, workers: workers, backend: backend, step)
        return Row(
            subject: subject, precision: precision, workers: workers, batch: subject.batch,
            samplesPerSecond: Double(subject.batch) / timing.median, breakdown: timing.breakdown)
    }

    private func step(_ subject: Subject, _ precision: Precision, _ backend: CPUBackend) throws -> () throws -> Void {
        let parallel = DataParallel(workers: workers)
        let batch = subject.batch
        var random = RandomNumbers(seed: 1)
        switch subject {
        case .dense:
            let network = DenseHead(from: .random(seed: 0, on: backend))
            let x = Tensor.normal([batch, 512], random: &random, on: backend)
            let labels = (0..<batch).map { Int32($0 % 5) }
            var optimizer = AdamW(network)
            return {
                let (_, gradients) = try parallel.gradients(of: network, batch: batch) { network, range in
                    network(x.slice(axis: 0, range), precision).crossEntropy(
                        labels: Tensor(indices: Array(labels[range]), shape: [range.count], on: backend))
                }
                optimizer.update(gradients, learningRate: 1e-4, maximumNorm: 1, pool: parallel.pool)
            }
        case .unet:
            let network = UNet(from: .random(seed: 0, on: backend))
            let x = Tensor.normal([batch, 3, 128, 128], random: &random, on: backend)
            let target = Tensor.normal([batch, 1, 128, 128], random: &random, on: backend)
            var optimizer = AdamW(network)
            return {
                let (_, gradients) = try parallel.gradients(of: network, batch: batch) { network, range in
                    network(x.slice(axis: 0, range), precision).meanSquaredError(target.slice(axis: 0, range))
                }
                optimizer.update(gradients, learningRate: 1e-4, maximumNorm: 1, pool: parallel.pool)
            }
        }
    }
}

/// Two dense layers.
private struct DenseHead: Module {
    var up: Linear
    var down: Linear

    init(from source: ParameterSource) {
        up = Linear(512, 256, from: source["up"])
        down = Linear(256, 5, from: source["down"])
    }

    func callAsFunction(_ x: Tensor, _ precision: Precision) -> Tensor {
        x.dense(
            [
                DenseLayer(weight: up.weight, bias: up.bias, activation: .gelu),
                DenseLayer(weight: down.weight, bias: down.bias),
            ], precision: precision, output: .float32)
    }

    mutating func forEachParameter(at path: String, _ body: (Parameter, inout Tensor) throws -> Void) rethrows {
        try up.forEachParameter(at: path + "up.", body)
        try down.forEachParameter(at: path + "down.", body)
    }
}

/// Convolutions down to a quarter of the resolution and back, with the finer levels joined on the way.
private struct UNet: Module {
    /// Channels in and out, and kernel, of each convolution in the order of the forward pass.
    private static let shapes = [
        (3, 16, 3), (16, 16, 3), (16, 32, 3), (32, 32, 3), (32, 64, 3), (64, 64, 3), (96, 32, 3), (48, 16, 3),
        (16, 1, 1),
    ]
    private var weights: [Tensor]
    private var biases: [Tensor]

    init(from source: ParameterSource) {
        weights = Self.shapes.enumerated().map { index, shape in
            source["conv"][index]("weight", [shape.1, shape.0, shape.2, shape.2], .glorotUniform)
        }
        biases = Self.shapes.enumerated().map { index, shape in source["conv"][index]("bias", [shape.1], .zeros) }
    }

    func callAsFunction(_ images: Tensor, _ precision: Precision) -> Tensor {
        let type = precision.activations
        func convolve(_ x: Tensor, _ index: Int, _ activation: Activation = .relu) -> Tensor {
            x.conv2d(
                weights[index].cast(to: type), bias: biases[index].cast(to: type), padding: Self.shapes[index].2 / 2,
                activation: activation)
        }
        let fine = convolve(convolve(images.cast(to: type), 0), 1)
        let middle = convolve(convolve(fine.maxPool2d(2), 2), 3)
        let coarse = convolve(convolve(middle.maxPool2d(2), 4), 5)
        let up = convolve(Tensor.concat([coarse.upsample(2), middle], axis: 1), 6)
        return convolve(convolve(Tensor.concat([up.upsample(2), fine], axis: 1), 7), 8, .none).cast(to: .float32)
    }

    mutating func forEachParameter(at path: String, _ body: (Parameter, inout Tensor) throws -> Void) rethrows {
        for index in weights.indices {
            try body(Parameter("\(path)conv.\(index).weight", .weight), &weights[index])
            try body(Parameter("\(path)conv.\(index).bias", .bias), &biases[index])
        }
    }
}
