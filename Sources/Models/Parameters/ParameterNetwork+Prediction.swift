public import Tensors

extension ParameterNetwork {
    /// The task of a file with this network.
    public static let task = "parameters"

    /// Normal distributions of the outputs of one object.
    public struct Prediction: Sendable, Equatable {
        /// In the order of ``ParameterNetwork/outputs``.
        public var means: [Float]
        public var deviations: [Float]
    }

    /// Reads a network.
    ///
    /// - Throws: `ModelError` for a file that holds none.
    public static func load(path: String, backend: any Backend) throws(ModelError) -> ParameterNetwork {
        try ModelFile.load(path: path, task: task, backend: backend) {
            (configuration: ParameterConfiguration, source) throws(ModelError) in
            try ParameterNetwork(configuration, from: source)
        }.network
    }

    /// Predictions for stamps, averaged over quarter turns and mirror images, with calibrated deviations.
    ///
    /// The variance is the mean of the views' own and, added to it, the variance of their means.
    /// - Parameters:
    ///   - pixels: count × channels × side × side numbers.
    ///   - scalars: count × scalars numbers.
    ///   - signalToNoise: count numbers, for the calibration.
    ///   - views: 1, 4 (quarter turns) or 8 (and their mirror images).
    public func predict(
        pixels: [Float], scalars: [Float], signalToNoise: [Float], views: Int = 8
    ) -> [Prediction] {
        precondition([1, 4, 8].contains(views), "[predict] expected 1, 4 or 8 views, got \(views)")
        let (count, outputs) = (signalToNoise.count, Self.outputs.count)
        guard count > 0 else { return [] }
        var sums = [Float](repeating: 0, count: count * outputs)
        var squares = sums
        var variances = sums
        for view in 0..<views {
            let images = Tensor(
                SquareView(view).turned(pixels, side: configuration.side),
                shape: [count, configuration.channels, configuration.side, configuration.side], on: backend)
            let numbers = Tensor(
                SquareView(view).turned(
                    numbers: scalars, rowLength: configuration.scalars, configuration.turningScalars),
                shape: [count, configuration.scalars], on: backend)
            let (mean, logVariance) = self(images, scalars: numbers)
            let (means, spreads) = (mean.floats(), logVariance.exp().floats())
            let upright = SquareView(view).turned(
                numbers: means, rowLength: outputs, [Self.turningOutputs.cosine, Self.turningOutputs.sine])
            for index in sums.indices {
                sums[index] += upright[index]
                squares[index] += upright[index] * upright[index]
                variances[index] += spreads[index]
            }
        }
        let number = Float(views)
        return (0..<count).map { object in
            var prediction = Prediction(means: [], deviations: [])
            for output in 0..<outputs {
                let index = object * outputs + output
                let mean = sums[index] / number
                let variance = variances[index] / number + max(0, squares[index] / number - mean * mean)
                prediction.means.append(mean)
                prediction.deviations.append(
                    variance.squareRoot()
                        * configuration.calibration.factor(output, signalToNoise: signalToNoise[object]))
            }
            return prediction
        }
    }
}

/// One of the eight ways to lay down a square: quarter turns, and from the fourth on mirrored in x first.
///
/// Twice an angle changes by half a turn in a quarter turn, and its sign in a mirror: both are their own inverse, so the same
/// change brings a prediction back.
public struct SquareView: Sendable {
    private let quarters: Int
    private let isMirrored: Bool

    /// - Parameter number: 0 (as it is) … 7.
    public init(_ number: Int) {
        precondition((0..<8).contains(number), "[SquareView] expected 0 … 7, got \(number)")
        quarters = number & 3
        isMirrored = number >= 4
    }

    /// Square planes one after another, turned.
    public func turned(_ planes: [Float], side: Int) -> [Float] {
        guard quarters != 0 || isMirrored else { return planes }
        let last = side - 1
        return [Float](unsafeUninitializedCapacity: planes.count) { out, count in
            planes.withUnsafeBufferPointer { source in
                for plane in stride(from: 0, to: planes.count, by: side * side) {
                    for y in 0..<side {
                        for x in 0..<side {
                            var (u, v) =
                                switch quarters {
                                case 0: (x, y)
                                case 1: (last - y, x)
                                case 2: (last - x, last - y)
                                default: (y, last - x)
                                }
                            if isMirrored { u = last - u }
                            out[plane + y * side + x] = source[plane + v * side + u]
                        }
                    }
                }
            }
            count = planes.count
        }
    }

    /// Rows of numbers of which two are cosine and sine of twice an angle.
    public func turned(numbers: [Float], rowLength: Int, _ places: [Int]) -> [Float] {
        var result = numbers
        for row in stride(from: 0, to: numbers.count, by: rowLength) {
            if quarters % 2 == 1 {
                result[row + places[0]] = -result[row + places[0]]
                result[row + places[1]] = -result[row + places[1]]
            }
            if isMirrored { result[row + places[1]] = -result[row + places[1]] }
        }
        return result
    }
}
