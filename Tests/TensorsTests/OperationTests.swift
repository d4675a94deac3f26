import Tensors
import Testing

/// Every operation against its definition, forward and backward, by one test body.
struct OperationTests {
    /// One thread, and split over two.
    static let backends = [CPUBackend(threads: 1), CPUBackend(threads: 2)]

    private func inputs(_ test: OperationCase) -> [Dense] {
        var random = RandomNumbers(seed: 7)
        return test.shapes.map { shape in
            Dense(shape) { _ in Double(Float(test.domain(Double(random.normal())))) }
        }
    }

    private func tensors(_ inputs: [Dense], _ type: DType = .float32, on backend: CPUBackend) -> [Tensor] {
        inputs.map { Tensor($0.values.map { Float($0) }, shape: $0.shape, dtype: type, on: backend) }
    }

    /// Largest difference in units of the largest value.
    private func relativeError(_ got: [Float], _ expected: [Double]) -> Double {
        let scale = max(1, expected.reduce(0) { max($0, abs($1)) })
        return zip(got, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) } / scale
    }

    @Test("An operation computes its definition", arguments: OperationCase.all, [0, 1])
    func forward(test: OperationCase, backend: Int) {
        let inputs = inputs(test)
        let expected = test.reference(inputs)
        let got = test.operation(tensors(inputs, on: Self.backends[backend]))
        #expect(got.shape == expected.shape)
        // A few hundred roundings of 6e-8 each.
        #expect(relativeError(got.floats(), expected.values) < 1e-5)
    }

    @Test("In bfloat16 it stays within the precision of the inputs", arguments: OperationCase.all.filter(\.inBFloat16))
    func forwardInBFloat16(test: OperationCase) {
        let rounded = tensors(inputs(test), .bfloat16, on: Self.backends[0])
        let exact = zip(rounded, test.shapes).map { Dense($1, $0.floats().map(Double.init)) }
        let expected = test.reference(exact)
        let got = test.operation(rounded)
        #expect(got.shape == expected.shape)
        // Results are rounded to 8 bits; composites round several times on the way.
        #expect(relativeError(got.floats(), expected.values) < 3e-2)
    }

    @Test(
        "Its derivative is the limit of difference quotients of the definition", arguments: OperationCase.all, [0, 1])
    func derivative(test: OperationCase, backend: Int) {
        let inputs = inputs(test)
        let backend = Self.backends[backend]
        let tape = Tape()
        let leaves = tensors(inputs, on: backend)
        let watched = leaves.enumerated().map { $0.offset < test.differentiated ? tape.watch($0.element) : $0.element }
        let result = test.operation(watched)
        var random = RandomNumbers(seed: 11)
        let seed = Dense(result.shape) { _ in Double(random.normal()) }
        let gradients = tape.gradients(of: result, seed: tensors([seed], on: backend)[0])
        let step = 1e-5
        for (position, input) in inputs.enumerated() where position < test.differentiated {
            guard let gradient = gradients[leaves[position]] else {
                Issue.record("no gradient for input \(position)")
                continue
            }
            #expect(gradient.shape == input.shape)
            let expected = input.values.indices.map { i -> Double in
                var (up, down) = (inputs, inputs)
                up[position].values[i] += step
                down[position].values[i] -= step
                let (a, b) = (test.reference(up).values, test.reference(down).values)
                return zip(zip(a, b), seed.values).reduce(0) { $0 + ($1.0.0 - $1.0.1) * $1.1 } / (2 * step)
            }
            #expect(relativeError(gradient.floats(), expected) < 1e-4, "input \(position)")
        }
    }
}
