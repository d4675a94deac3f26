import Tensors
import Testing

/// Gradients in bfloat16, which run on kernels of their own, against those in float32, which other tests compare with difference
/// quotients. Operands and results are rounded to 8 bits (4e-3): errors of two or three roundings, 2e-2, are allowed.
@Suite("Gradients in bfloat16")
struct BFloat16GradientTests {
    private static let tolerance = 2e-2
    private let backend = CPUBackend(threads: 1)

    private func normals(
        _ shape: [Int], deviation: Float = 1, mean: Float = 0, _ random: inout RandomNumbers
    ) -> Tensor {
        Tensor.normal(shape, mean: mean, standardDeviation: deviation, random: &random, on: backend)
    }

    /// The root of the mean squared difference, over that of the expected values.
    private func relativeError(_ found: [Float], _ expected: [Double]) -> Double {
        let error = zip(found, expected).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
        return (error / max(expected.reduce(0) { $0 + $1 * $1 }, 1e-30)).squareRoot()
    }

    private func layer(
        _ inputs: Int, _ outputs: Int, norm: Bool = false, bias: Bool = true, activation: Activation = .none,
        _ random: inout RandomNumbers
    ) -> DenseLayer {
        DenseLayer(
            norm: norm
                ? .init(
                    weight: normals([inputs], deviation: 0.2, mean: 1, &random),
                    bias: normals([inputs], deviation: 0.2, &random),
                    epsilon: 1e-6)
                : nil,
            weight: normals([outputs, inputs], deviation: 1 / Float(inputs).squareRoot(), &random),
            bias: bias ? normals([outputs], deviation: 0.5, &random) : nil, activation: activation)
    }

    /// Kinds of residuals.
    enum Residual: CaseIterable { case none, input, other }

    private static let chains = ["one layer", "norm", "feed-forward", "feed-forward without norm and biases", "square"]

    private func chain(_ name: String, _ random: inout RandomNumbers) -> [DenseLayer] {
        switch name {
        case "norm": [layer(48, 48, norm: true, &random)]
        case "feed-forward":
            [layer(48, 192, norm: true, activation: .gelu, &random), layer(192, 48, &random)]
        case "feed-forward without norm and biases":
            [layer(48, 100, bias: false, activation: .relu, &random), layer(100, 48, bias: false, &random)]
        case "square": [layer(48, 48, norm: true, &random), layer(48, 48, &random)]
        default: [layer(48, 48, &random)]
        }
    }

    private func parameters(_ layers: [DenseLayer]) -> [Tensor] {
        layers.flatMap { [$0.weight, $0.bias, $0.norm?.weight, $0.norm?.bias].compactMap { $0 } }
    }

    /// The result of dense layers on a tape and the gradients of x, the residual and the parameters.
    private func run(
        _ layers: [DenseLayer], _ x: Tensor, _ residual: Residual, other: Tensor, seed: Tensor, _ precision: Precision
    ) -> [Tensor?] {
        let tape = Tape()
        let watched = layers.map { layer in
            DenseLayer(
                norm: layer.norm.map {
                    .init(weight: tape.watch($0.weight), bias: tape.watch($0.bias), epsilon: $0.epsilon)
                }, weight: tape.watch(layer.weight), bias: layer.bias.map(tape.watch), activation: layer.activation)
        }
        let input = tape.watch(x)
        let added: Tensor? =
            switch residual {
            case .none: nil
            case .input: input
            case .other: tape.watch(other)
            }
        let y = input.dense(watched, residual: added, precision: precision, output: .float32)
        let gradients = tape.gradients(of: y, seed: seed)
        return [y, gradients[x]] + (residual == .other ? [gradients[other]] : [])
            + parameters(layers).map { gradients[$0] }
    }

    @Test("of dense layers", arguments: chains, Residual.allCases)
    func dense(name: String, residual: Residual) throws {
        // Where a rounded number has the other sign, the slope of ReLU is 1 instead of 0: 1 of 1000 elements, an error of √0.001.
        let tolerance = name.contains("without") ? 5e-2 : Self.tolerance
        var random = RandomNumbers(seed: 51)
        let layers = chain(name, &random)
        for rows in [1, 5, 700] {
            let x = normals([rows, 48], &random)
            let (other, seed) = (normals([rows, 48], &random), normals([rows, 48], &random))
            let exact = run(layers, x, residual, other: other, seed: seed, .float32)
            let found = run(layers, x, residual, other: other, seed: seed, .bfloat16)
            for (index, (a, b)) in zip(found, exact).enumerated() {
                let (a, b) = (try #require(a), try #require(b))
                #expect(a.shape == b.shape && a.dtype == .float32)
                let error = relativeError(a.floats(), b.floats().map(Double.init))
                #expect(error < tolerance, "\(name), \(rows) rows, \(index): \(error)")
            }
        }
    }

    @Test("of dense layers whose input is bfloat16 and whose parameters are partly constant")
    func partly() throws {
        var random = RandomNumbers(seed: 53)
        let layers = chain("feed-forward without norm and biases", &random)
        let x = normals([9, 48], &random).cast(to: .bfloat16)
        let tape = Tape()
        let watched = [layers[0], DenseLayer(weight: tape.watch(layers[1].weight))]
        let input = tape.watch(x)
        let y = input.dense(watched, precision: .bfloat16)
        #expect(y.dtype == .bfloat16)
        let seed = normals(y.shape, &random)
        let gradients = tape.gradients(of: y, seed: seed.cast(to: .bfloat16))
        #expect(gradients[layers[0].weight] == nil)
        let exact = run(layers, x.cast(to: .float32), .none, other: seed, seed: seed, .float32)
        for (found, exact) in [(gradients[x], exact[1]), (gradients[layers[1].weight], exact[3])] {
            let (a, b) = (try #require(found), try #require(exact))
            #expect(relativeError(a.floats(), b.floats().map(Double.init)) < Self.tolerance)
        }
    }

    @Test("follow a weight that is changed in place, with refreshed copies or without", arguments: [true, false])
    func changedWeights(refreshing: Bool) throws {
        var random = RandomNumbers(seed: 55)
        var layers = chain("square", &random)
        let (x, seed) = (normals([40, 48], &random), normals([40, 48], &random))
        for step in 1...3 {
            let first = run(layers, x, .input, other: x, seed: seed, .bfloat16)
            // The same values in storage that has no packed copies.
            layers = layers.map { layer in
                var layer = layer
                layer.weight = layer.weight.copy()
                return layer
            }
            let second = run(layers, x, .input, other: x, seed: seed, .bfloat16)
            for (a, b) in zip(first, second) { #expect(a!.floats() == b!.floats(), "step \(step)") }
            for layer in layers {
                layer.weight.addInPlace(normals(layer.weight.shape, deviation: 0.1, &random))
                if refreshing { backend.refreshPackedCopies(layer.weight) }
            }
        }
    }

    @Test("of attention", arguments: [(16, 32), (17, 64), (65, 64), (197, 64), (257, 32), (500, 16)])
    func attention(tokens: Int, width: Int) throws {
        let (batch, heads) = (3, 4)
        var random = RandomNumbers(seed: UInt64(tokens))
        let qkv = normals([batch, tokens, 3 * heads * width], &random).cast(to: .bfloat16)
        let seed = normals([batch, tokens, heads * width], &random).cast(to: .bfloat16)
        func gradient(_ type: DType) throws -> [Float] {
            let tape = Tape()
            let leaf = qkv.cast(to: type)
            let y = tape.watch(leaf).attention(heads: heads)
            return try #require(tape.gradients(of: y, seed: seed.cast(to: type))[leaf]).floats()
        }
        let (found, exact) = (try gradient(.bfloat16), try gradient(.float32))
        // Each of q, k and v by itself: their gradients differ in size.
        for part in 0..<3 {
            func select(_ values: [Float]) -> [Float] {
                values.indices.filter { $0 / (heads * width) % 3 == part }.map { values[$0] }
            }
            let error = relativeError(select(found), select(exact).map(Double.init))
            #expect(error < Self.tolerance, "\(part): \(error)")
        }
    }
}
