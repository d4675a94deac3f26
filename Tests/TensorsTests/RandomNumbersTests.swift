import Foundation
import Tensors
import Testing

struct RandomNumbersTests {
    /// kat_vectors of the Random123 distribution, philox4x32 with 10 rounds.
    @Test(
        "Philox4x32-10 gives its authors' test vectors",
        arguments: [
            (
                SIMD4<UInt32>(repeating: 0), SIMD2<UInt32>(repeating: 0),
                SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)
            ),
            (
                SIMD4<UInt32>(repeating: .max), SIMD2<UInt32>(repeating: .max),
                SIMD4<UInt32>(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
            ),
            (
                SIMD4<UInt32>(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
                SIMD2<UInt32>(0xa409_3822, 0x299f_31d0),
                SIMD4<UInt32>(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
            ),
        ])
    func vectors(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, expected: SIMD4<UInt32>) {
        #expect(RandomNumbers.philox(counter: counter, key: key) == expected)
    }

    @Test("Moments are those of the distributions, to five standard errors of 100 000 numbers")
    func moments() {
        var random = RandomNumbers(seed: 3)
        let backend = CPUBackend()
        let n = 100_000
        func moments(_ x: [Float]) -> (Double, Double) {
            let mean = x.reduce(0.0) { $0 + Double($1) } / Double(n)
            return (mean, x.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(n))
        }
        let uniform = Tensor.uniform([n], low: -1, high: 3, random: &random, on: backend).floats()
        #expect(abs(moments(uniform).0 - 1) < 0.02 && abs(moments(uniform).1 - 16.0 / 12) < 0.02)
        #expect(uniform.allSatisfy { $0 >= -1 && $0 < 3 })
        let normal = Tensor.normal([n], mean: 2, standardDeviation: 3, random: &random, on: backend).floats()
        #expect(abs(moments(normal).0 - 2) < 0.05 && abs(moments(normal).1 - 9) < 0.25)
        // The normal distribution cut at ± 2σ has variance 1 − 4 φ(2) / (Φ(2) − Φ(−2)) = 0.7737.
        let truncated = Tensor.truncatedNormal([n], random: &random, on: backend).floats()
        #expect(abs(moments(truncated).1 - 0.7737) < 0.02 && truncated.allSatisfy { abs($0) <= 2 })
    }

    @Test("The same seed gives the same numbers; streams and split generators differ")
    func streams() {
        func first(_ random: RandomNumbers) -> [UInt64] {
            var random = random
            return (0..<8).map { _ in random.next() }
        }
        #expect(first(RandomNumbers(seed: 5)) == first(RandomNumbers(seed: 5)))
        #expect(first(RandomNumbers(seed: 5)) != first(RandomNumbers(seed: 6)))
        #expect(first(RandomNumbers(seed: 5)) != first(RandomNumbers(seed: 5, stream: 1)))
        var parent = RandomNumbers(seed: 5)
        let (a, b) = (parent.split(), parent.split())
        #expect(first(a) != first(b) && first(a) != first(RandomNumbers(seed: 5)))
    }

    @Test("A permutation contains every number once, and all orders of three come up equally often")
    func permutation() {
        var random = RandomNumbers(seed: 9)
        #expect(random.permutation(1000).sorted() == Array(0..<1000))
        var counts: [[Int]: Int] = [:]
        for _ in 0..<6000 { counts[random.permutation(3), default: 0] += 1 }
        // Binomial with n = 6000, p = 1/6: σ = 29.
        #expect(counts.count == 6 && counts.values.allSatisfy { abs($0 - 1000) < 150 })
    }

    @Test("Dropout keeps the mean, zeroes the given share, and passes the gradient where it kept")
    func dropout() {
        var random = RandomNumbers(seed: 13)
        let backend = CPUBackend()
        let tape = Tape()
        let leaf = Tensor.ones([100_000], on: backend)
        let dropped = tape.watch(leaf).dropout(0.3, random: &random)
        let values = dropped.floats()
        #expect(abs(Double(values.filter { $0 == 0 }.count) / 100_000 - 0.3) < 0.01)
        #expect(values.allSatisfy { $0 == 0 || abs($0 - 1 / 0.7) < 1e-6 })
        #expect(tape.gradients(of: dropped.sum())[leaf]?.floats() == values)
        let paths = Tensor.ones([1000, 3], on: backend).dropPath(0.5, random: &random).floats()
        for row in 0..<1000 { #expect(Set(paths[(row * 3)..<(row * 3 + 3)]).count == 1) }
    }

    @Test("A saved generator continues where it was")
    func saved() throws {
        var random = RandomNumbers(seed: 21)
        for _ in 0..<7 { _ = random.nextWord() }
        var copy = try JSONDecoder().decode(RandomNumbers.self, from: JSONEncoder().encode(random))
        for _ in 0..<9 { #expect(random.nextWord() == copy.nextWord()) }
    }
}
