import Kernels
import Testing

@Suite("Attention, backward")
struct AttentionBackwardTests {
    static let shapes = [
        (1, 1, 32), (2, 2, 64), (7, 7, 48), (15, 15, 40), (65, 65, 96), (64, 64, 64), (63, 63, 80), (197, 197, 64),
        (130, 130, 128), (33, 100, 64), (100, 9, 24), (50, 50, 1), (17, 70, 100),
    ]

    @Test("agrees with double precision on every shape", arguments: InstructionSet.available, 0..<shapes.count)
    func agreesOnShapes(set: InstructionSet, index: Int) {
        let (queries, keys, width) = Self.shapes[index]
        let heads = 2
        let input = AttentionInput.normal.sample(heads: heads, queries: queries, keys: keys, width: width, seed: 21)
        var random = SampleGenerator(seed: 22)
        let oGradient = random.normals(heads * queries * width)
        for (storage, products) in [
            (ElementType.float32, AttentionProducts.float32), (.float32, .bfloat16), (.bfloat16, .bfloat16),
        ] {
            let kernel = AttentionKernel(
                batch: 1, heads: heads, tokens: queries, keys: keys, width: width, storage: storage,
                products: products, algorithm: .vfa, instructionSet: set)
            let run = AttentionRun(kernel, q: input.q, k: input.k, v: input.v)
            let gradients = run.backward(q: input.q, k: input.k, v: input.v, oGradient: oGradient)
            var truth: (q: [Double], k: [Double], v: [Double]) = ([], [], [])
            let reference = ReferenceAttention(
                queries: queries, keys: keys, width: width, scale: Double(kernel.scale))
            for head in 0..<heads {
                func part(_ x: [Float]) -> [Double] {
                    let count = x.count / heads
                    return x[head * count..<(head + 1) * count].map {
                        Double(storage == .bfloat16 ? roundedToBFloat16($0) : $0)
                    }
                }
                let result = reference.backward(
                    q: part(input.q), k: part(input.k), v: part(input.v), oGradient: part(oGradient))
                truth.q += result.q
                truth.k += result.k
                truth.v += result.v
            }
            let limit = products == .float32 ? 1e-5 : 2.5e-2
            let name = "\(storage) \(products)"
            // A single key has no gradient in q and k: compare those with the size of the other gradients.
            if keys > 1 {
                #expect(relativeError(gradients.q, truth.q) < limit, "q \(name)")
                #expect(relativeError(gradients.k, truth.k) < limit, "k \(name)")
            } else {
                #expect(gradients.q.allSatisfy { abs($0) < 100 * Float(limit) }, "q \(name)")
                #expect(gradients.k.allSatisfy { abs($0) < 100 * Float(limit) }, "k \(name)")
            }
            #expect(relativeError(gradients.v, truth.v) < limit, "v \(name)")
        }
    }

    @Test("the reference's gradients are those of central differences")
    func referenceGradients() {
        let (queries, keys, width) = (4, 5, 3)
        let sample = AttentionInput.normal.sample(heads: 1, queries: queries, keys: keys, width: width, seed: 3)
        var random = SampleGenerator(seed: 4)
        let oGradient = random.normals(queries * width).map(Double.init)
        let reference = ReferenceAttention(queries: queries, keys: keys, width: width, scale: 0.7)
        let inputs = [sample.q, sample.k, sample.v].map { $0.map(Double.init) }
        func loss(_ x: [[Double]]) -> Double {
            zip(reference.forward(q: x[0], k: x[1], v: x[2]).o, oGradient).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let exact = reference.backward(q: inputs[0], k: inputs[1], v: inputs[2], oGradient: oGradient)
        for (which, gradient) in [exact.q, exact.k, exact.v].enumerated() {
            for index in gradient.indices {
                var (above, below) = (inputs, inputs)
                above[which][index] += 1e-5
                below[which][index] -= 1e-5
                #expect(abs((loss(above) - loss(below)) / 2e-5 - gradient[index]) < 1e-8)
            }
        }
    }
}
