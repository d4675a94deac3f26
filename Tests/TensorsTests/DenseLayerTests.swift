import Tensors
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The fused dense layers against the same layers written out in double precision.
@Suite("Dense layers")
struct DenseLayerTests {
    /// A layer as plain numbers.
    private struct Plain {
        var (inputs, outputs): (Int, Int)
        var norm: (weight: [Float], bias: [Float])?
        var weight: [Float]
        var bias: [Float]?
        var activation = Activation.none
        var factor: [Float]?

        init(
            _ inputs: Int, _ outputs: Int, norm: Bool = false, bias: Bool = true, activation: Activation = .none,
            factor: Bool = false, _ random: inout RandomNumbers
        ) {
            func normals(_ count: Int, _ deviation: Float, around mean: Float = 0) -> [Float] {
                (0..<count).map { _ in mean + deviation * random.normal() }
            }
            (self.inputs, self.outputs) = (inputs, outputs)
            self.norm = norm ? (normals(inputs, 0.2, around: 1), normals(inputs, 0.2)) : nil
            weight = normals(outputs * inputs, 1 / Float(inputs).squareRoot())
            self.bias = bias ? normals(outputs, 0.5) : nil
            self.activation = activation
            self.factor = factor ? normals(outputs, 0.3) : nil
        }

        func layer(on backend: CPUBackend, type: DType = .float32) -> DenseLayer {
            func vector(_ values: [Float]) -> Tensor { Tensor(values, shape: [values.count], on: backend) }
            return DenseLayer(
                norm: norm.map { .init(weight: vector($0.weight), bias: vector($0.bias), epsilon: 1e-6) },
                weight: Tensor(weight, shape: [outputs, inputs], dtype: type, on: backend), bias: bias.map(vector),
                activation: activation, factor: factor.map(vector))
        }

        /// The layer on one row; with 8-bit factors if they are wanted.
        ///
        /// - Parameter lowest: a bound that the numbers of the row are above, if one is known.
        func callAsFunction(_ row: [Double], quantizing: Bool, lowest: Double?) -> [Double] {
            var x = row
            if let norm {
                let mean = x.reduce(0, +) / Double(inputs)
                let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(inputs)
                x = x.indices.map {
                    (x[$0] - mean) / (variance + 1e-6).squareRoot() * Double(norm.weight[$0]) + Double(norm.bias[$0])
                }
            }
            if quantizing { x = Self.rounded(x, lowest: norm == nil ? lowest : nil) }
            return (0..<outputs).map { output in
                var w = weight[(output * inputs)..<((output + 1) * inputs)].map(Double.init)
                if quantizing { w = Self.rounded(w, lowest: nil) }
                var y = zip(x, w).reduce(0) { $0 + $1.0 * $1.1 } + Double(bias?[output] ?? 0)
                if activation == .gelu { y *= 0.5 * erfc(-y / 2.0.squareRoot()) }
                if activation == .relu { y = max(0, y) }
                return y * Double(factor?[output] ?? 1)
            }
        }

        /// Numbers of a row rounded to 255 values that are symmetric about 0, or about the middle of a bound and the largest.
        static func rounded(_ x: [Double], lowest: Double?) -> [Double] {
            let largest = x.map(abs).max()!
            let middle = lowest.map { (largest + $0) / 2 } ?? 0
            let step = (largest - middle) / 127
            return step > 0 ? x.map { (($0 - middle) / step).rounded(.toNearestOrEven) * step + middle } : x
        }
    }

    private static let chains: [(name: String, rows: Int)] = [
        ("norm", 70), ("residual", 3), ("feed-forward", 300), ("feed-forward", 1), ("norm inside", 37), ("no bias", 20),
    ]

    private func chain(_ name: String, _ random: inout RandomNumbers) -> [Plain] {
        switch name {
        case "norm": [Plain(48, 96, norm: true, &random)]
        case "residual": [Plain(48, 48, factor: true, &random)]
        case "feed-forward":
            [Plain(48, 200, norm: true, activation: .gelu, &random), Plain(200, 48, factor: true, &random)]
        case "norm inside": [Plain(33, 40, activation: .relu, &random), Plain(40, 33, norm: true, &random)]
        default: [Plain(16, 24, bias: false, &random)]
        }
    }

    /// ‖a − b‖ / ‖b‖.
    private func relativeError(_ a: [Float], _ b: [Double]) -> Double {
        let difference = zip(a, b).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
        return (difference / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    @Test(
        "they compute their definition on one thread and on two, with weights of either type",
        arguments: chains.indices, Precision.allCases)
    func definition(index: Int, precision: Precision) {
        let (name, rows) = Self.chains[index]
        var random = RandomNumbers(seed: 31)
        let layers = chain(name, &random)
        let (inputs, outputs) = (layers[0].inputs, layers.last!.outputs)
        let x = (0..<(rows * inputs)).map { _ in random.normal() }
        let residual = inputs == outputs ? (0..<(rows * outputs)).map { _ in random.normal() } : nil
        func expected(quantizing: Bool) -> [Double] {
            (0..<rows).flatMap { row -> [Double] in
                var y = x[(row * inputs)..<((row + 1) * inputs)].map(Double.init)
                var lowest: Double?
                for layer in layers {
                    y = layer(y, quantizing: quantizing, lowest: lowest)
                    lowest = layer.activation == .gelu ? -0.17 : (layer.activation == .relu ? 0 : nil)
                }
                return y.enumerated().map { $0.element + Double(residual?[row * outputs + $0.offset] ?? 0) }
            }
        }
        let exact = expected(quantizing: false)
        for threads in [1, 2] {
            let backend = CPUBackend(threads: threads)
            for (stored, output) in [(DType.float32, DType.float32), (.bfloat16, .bfloat16)] {
                let found = Tensor(x, shape: [rows, inputs], on: backend).dense(
                    layers.map { $0.layer(on: backend, type: stored) },
                    residual: residual.map { Tensor($0, shape: [rows, outputs], on: backend) }, precision: precision,
                    output: output)
                #expect(found.shape == [rows, outputs] && found.dtype == output)
                let error = relativeError(found.floats(), exact)
                let bound =
                    switch precision {
                    case .float32: stored == .float32 ? 2e-6 : 6e-3
                    case .bfloat16: 8e-3
                    case .int8: 2e-2
                    }
                #expect(error < bound, "\(name), \(threads) threads, \(stored.rawValue): \(error)")
                // The only difference to products of rounded factors is the order of float32 operations, and a factor that
                // they round to another neighbour.
                if precision == .int8 && stored == .float32 && CPUBackend.hasInt8Products {
                    let emulated = relativeError(found.floats(), expected(quantizing: true))
                    #expect(emulated < error / 5 || emulated < 1e-6, "\(name): \(emulated) of \(error)")
                }
            }
        }
    }

    @Test("on a tape they are the same layers and have their derivatives")
    func onATape() {
        let backend = CPUBackend(threads: 1)
        var random = RandomNumbers(seed: 37)
        let layers = chain("feed-forward", &random).map { $0.layer(on: backend) }
        let x = Tensor((0..<(5 * 48)).map { _ in random.normal() }, shape: [5, 48], on: backend)
        let fused = x.dense(layers, residual: x, precision: .float32)
        let tape = Tape()
        let watched = tape.watch(x)
        let recorded = watched.dense(layers, residual: watched, precision: .float32)
        #expect(zip(fused.floats(), recorded.floats()).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(tape.gradients(of: recorded.square().mean())[x]?.shape == [5, 48])
    }

    @Test("a token that is not a number stays one, and stays alone", arguments: Precision.allCases)
    func nonFinite(precision: Precision) {
        let backend = CPUBackend(threads: 1)
        var random = RandomNumbers(seed: 39)
        let layers = chain("feed-forward", &random).map { $0.layer(on: backend) }
        var values = (0..<(3 * 48)).map { _ in random.normal() }
        values[48 + 7] = .nan
        let x = Tensor(values, shape: [3, 48], on: backend)
        let y = x.dense(layers, precision: precision).floats()
        #expect(y[48..<96].allSatisfy { $0.isNaN })
        #expect(y[..<48].allSatisfy { $0.isFinite } && y[96...].allSatisfy { $0.isFinite })
    }
}
