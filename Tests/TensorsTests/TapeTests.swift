import Tensors
import Testing

struct TapeTests {
    let backend = CPUBackend()

    @Test("Only what was watched has a derivative")
    func watched() {
        let (a, b) = (Tensor([2, 3], shape: [2], on: backend), Tensor([5, 7], shape: [2], on: backend))
        let tape = Tape()
        let gradients = tape.gradients(of: (tape.watch(a) * b).sum())
        #expect(gradients[a]?.floats() == [5, 7])
        #expect(gradients[b] == nil)
        #expect(gradients.count == 1)
    }

    @Test("A tensor watched twice and used on many paths collects all of them")
    func shared() {
        let a = Tensor([2, 3], shape: [2], on: backend)
        let tape = Tape()
        let (x, y) = (tape.watch(a), tape.watch(a))
        let z = x * y + x + y.scaled(by: 2)
        #expect(tape.gradients(of: z.sum())[a]?.floats() == [7, 9])
    }

    @Test("Operations off the tape record nothing")
    func nothing() {
        let tape = Tape()
        let a = Tensor([1, 2], shape: [2], on: backend)
        _ = (a * a).gelu().sum()
        #expect(tape.count == 0)
        #expect(!(tape.watch(a).detached * a).isOnTape)
        #expect((tape.watch(a) * a).isOnTape)
    }

    @Test("A seed scales the gradient, as shares of a batch need")
    func seed() {
        let a = Tensor([1, 2], shape: [2], on: backend)
        let tape = Tape()
        #expect(tape.gradients(of: tape.watch(a).square().sum(), seed: 0.25)[a]?.floats() == [0.5, 1])
    }

    @Test("Changing a gradient that two inputs share leaves the other as it was")
    func aliasing() {
        // d(a + b) is one tensor for both; a then collects more.
        let (a, b) = (Tensor([1, 2], shape: [2], on: backend), Tensor([3, 4], shape: [2], on: backend))
        let tape = Tape()
        let (x, y) = (tape.watch(a), tape.watch(b))
        let gradients = tape.gradients(of: ((x + y) + x.scaled(by: 10)).sum())
        #expect(gradients[a]?.floats() == [11, 11])
        #expect(gradients[b]?.floats() == [1, 1])
    }

    @Test("Two workers on one backend find the gradients that one would")
    func workers() async {
        let w = Tensor((0..<64).map { Float($0 % 7) - 3 }, shape: [8, 8], on: backend)
        @Sendable func gradient(_ batch: Int) -> [Float] {
            let x = Tensor((0..<32).map { Float(($0 + batch) % 5) }, shape: [4, 8], on: w.backend)
            let tape = Tape()
            return tape.gradients(of: x.linear(tape.watch(w)).gelu().sum())[w]!.floats()
        }
        let expected = (0..<16).map(gradient)
        let got = await withTaskGroup(of: (Int, [Float]).self) { group in
            for batch in 0..<16 { group.addTask { (batch, gradient(batch)) } }
            return await group.reduce(into: [Int: [Float]]()) { $0[$1.0] = $1.1 }
        }
        for batch in 0..<16 { #expect(got[batch] == expected[batch]) }
    }

    @Test("A thousand training steps hold no more memory than ten, and take no more from the system")
    func memory() {
        let backend = CPUBackend()
        var random = RandomNumbers(seed: 1)
        let w1 = Tensor.normal([32, 16], random: &random, on: backend)
        let w2 = Tensor.normal([16, 32], random: &random, on: backend)
        let m = [w1, w2].map { Tensor.zeros($0.shape, on: backend) }
        let v = [w1, w2].map { Tensor.zeros($0.shape, on: backend) }
        let x = Tensor.normal([8, 5, 16], random: &random, on: backend)
        func step(_ number: Int) {
            let tape = Tape()
            let hidden = x.linear(tape.watch(w1), activation: .gelu)
            let normalized = hidden.layerNorm(weight: nil, bias: nil).linear(tape.watch(w2), residual: x)
            let gradients = tape.gradients(of: normalized.meanSquaredError(x))
            for (i, w) in [w1, w2].enumerated() {
                backend.adamW(
                    parameter: w, gradient: gradients[w]!, firstMoment: m[i], secondMoment: v[i],
                    step: AdamWStep(learningRate: 1e-3, weightDecay: 0, step: number))
            }
        }
        for number in 1...10 { step(number) }
        let (live, reserved) = (backend.liveByteCount, backend.reservedByteCount)
        for number in 11...1010 { step(number) }
        // The parameters and moments live to here; without this they may be freed after their last use.
        withExtendedLifetime((w1, w2, m, v, x)) {
            #expect(backend.liveByteCount == live)
            #expect(backend.reservedByteCount == reserved)
        }
    }

    @Test("A step in place is seen by the next product, though the weight had been packed")
    func packedWeights() {
        let w = Tensor.ones([48, 64], on: backend)
        let x = Tensor.ones([32, 64], on: backend)
        #expect(x.linear(w).floats().allSatisfy { $0 == 64 })
        w.scaleInPlace(2)
        #expect(x.linear(w).floats().allSatisfy { $0 == 128 })
        w.addInPlace(.ones([48, 64], on: backend))
        #expect(x.linear(w).floats().allSatisfy { $0 == 192 })
        w.fill(1)
        #expect(x.linear(w).floats().allSatisfy { $0 == 64 })
    }

    @Test("Misuse stops with a sentence that names the operation") func misuse() async {
        await #expect(processExitsWith: .failure) {
            let backend = CPUBackend()
            _ = Tensor.zeros([2, 3], on: backend).linear(.zeros([4, 5], on: backend))
        }
        await #expect(processExitsWith: .failure) {
            let backend = CPUBackend()
            _ = Tensor.zeros([2, 3], on: backend) + Tensor.zeros([2], on: backend)
        }
        await #expect(processExitsWith: .failure) {
            _ = Tensor.zeros([2, 3], on: CPUBackend()) + Tensor.zeros([2, 3], on: CPUBackend())
        }
    }
}
