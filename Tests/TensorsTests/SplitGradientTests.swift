import Tensors
import Testing

struct SplitGradientTests {
    /// Largest difference from native products, relative to the largest value.
    private func error(_ products: Float32Products, _ operation: (CPUBackend) -> Tensor) -> Float {
        let expected = operation(CPUBackend(float32Products: .native)).floats()
        let got = operation(CPUBackend(float32Products: products)).floats()
        let scale = expected.reduce(0) { max($0, abs($1)) }
        return zip(expected, got).reduce(0) { max($0, abs($1.0 - $1.1)) } / scale
    }

    @Test(
        "Gradients of a layer through parts agree with native ones",
        arguments: [(Float32Products.parts, Float(1e-6)), (.twoParts, 2e-5)], 0..<3)
    func gradients(products: (Float32Products, Float), input: Int) {
        let error = error(products.0) { backend in
            var random = RandomNumbers(seed: 17)
            let inputs = [[50, 96], [80, 96], [80]].map { Tensor.normal($0, random: &random, on: backend) }
            let tape = Tape()
            let y = tape.watch(inputs[0]).linear(tape.watch(inputs[1]), bias: tape.watch(inputs[2]))
            return tape.gradients(of: y.square().mean())[inputs[input]]!
        }
        #expect(error < products.1)
    }
}
