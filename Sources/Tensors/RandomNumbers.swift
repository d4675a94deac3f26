#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405).
///
/// A generator is a seed, a stream and a position; the number at a position does not depend on who asks for it or when,
/// so every backend, thread and restart gets the same ones. Independent streams of one seed never overlap.
///
/// ```swift
/// var random = RandomNumbers(seed: 42)
/// let w = Tensor.normal([384, 384], standardDeviation: 0.02, random: &random, on: backend)
/// ```
public struct RandomNumbers: RandomNumberGenerator, Sendable, Codable, Equatable {
    /// The key of the generator.
    public let seed: UInt64
    /// Which of 2⁶⁴ streams of this seed.
    public let stream: UInt64
    /// How many blocks of four numbers were used; may be set to continue a saved state.
    public private(set) var position: UInt64 = 0

    private var block: SIMD4<UInt32> = .zero
    private var used = 4
    /// Streams given out by ``split()``.
    private var children: UInt64 = 0

    public init(seed: UInt64, stream: UInt64 = 0) {
        self.seed = seed
        self.stream = stream
    }

    /// One block of Philox4x32-10.
    public static func philox(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var (c, k) = (counter, key)
        for _ in 0..<10 {
            let (high0, low0) = c[0].multipliedFullWidth(by: 0xD251_1F53)
            let (high1, low1) = c[2].multipliedFullWidth(by: 0xCD9E_8D57)
            c = SIMD4(high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0)
            k = SIMD2(k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85)
        }
        return c
    }

    /// 32 random bits.
    @inline(__always)
    public mutating func nextWord() -> UInt32 {
        if used == 4 {
            let counter = SIMD4(
                UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32),
                UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32))
            block = Self.philox(
                counter: counter, key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
            position &+= 1
            used = 0
        }
        defer { used += 1 }
        return block[used]
    }

    /// 64 random bits.
    public mutating func next() -> UInt64 {
        let low = UInt64(nextWord())
        return UInt64(nextWord()) << 32 | low
    }

    /// Uniform in [0, 1), a multiple of 2⁻²⁴.
    public mutating func uniform() -> Float { Float(nextWord() >> 8) * 0x1p-24 }

    /// Uniform in [low, high).
    public mutating func uniform(_ low: Float, _ high: Float) -> Float { low + (high - low) * uniform() }

    /// Standard normal, by Box and Muller (1958), from two words.
    public mutating func normal() -> Float {
        let radius = (-2 * Glibc.log(1 - Double(nextWord()) * 0x1p-32)).squareRoot()
        return Float(radius * Glibc.cos(2 * .pi * Double(nextWord()) * 0x1p-32))
    }

    /// Standard normal, redrawn until it lies within ± 2.
    public mutating func truncatedNormal() -> Float {
        while true {
            let value = normal()
            if value.magnitude <= 2 { return value }
        }
    }

    /// An integer in 0..<bound without bias (Lemire 2019, arXiv 1805.10941).
    public mutating func integer(below bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    /// The numbers 0..<count in random order (Fisher and Yates).
    public mutating func permutation(_ count: Int) -> [Int] {
        var result = Array(0..<count)
        for i in stride(from: count - 1, to: 0, by: -1) { result.swapAt(i, integer(below: i + 1)) }
        return result
    }

    /// A generator for another purpose, independent of this one and of all others split from it.
    public mutating func split() -> RandomNumbers {
        children &+= 1
        let mixed = Self.philox(
            counter: SIMD4(
                UInt32(truncatingIfNeeded: children), UInt32(truncatingIfNeeded: children >> 32),
                UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32)),
            key: SIMD2(~UInt32(truncatingIfNeeded: seed), ~UInt32(truncatingIfNeeded: seed >> 32)))
        return RandomNumbers(seed: seed, stream: UInt64(mixed[0]) | UInt64(mixed[1]) << 32)
    }
}
