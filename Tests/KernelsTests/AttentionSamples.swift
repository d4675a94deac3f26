import Kernels

/// A small generator (SplitMix64) so that samples are the same on every machine.
struct SampleGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Approximately normal: the sum of twelve uniforms less six.
    mutating func normal() -> Float {
        var sum: Float = -6
        for _ in 0..<12 { sum += Float.random(in: 0..<1, using: &self) }
        return sum
    }

    mutating func normals(_ count: Int) -> [Float] { (0..<count).map { _ in normal() } }
}

/// Kinds of inputs on which a frozen maximum, narrow products or tails could go wrong.
enum AttentionInput: String, CaseIterable {
    case normal
    /// Four keys ten times as long.
    case spiky
    /// Two channels of the keys eight times as large.
    case outlierChannels
    /// One key in a middle block that one query points to, opposite to its block's representation.
    case needle
    /// Key norms that grow along the sequence.
    case ramped
    /// Scores beyond 700 nats.
    case huge
    case allEqual
    /// Queries four times as long.
    case peaked

    /// Queries, keys and values (heads, tokens, width).
    func sample(heads: Int, queries: Int, keys: Int, width: Int, seed: UInt64) -> (q: [Float], k: [Float], v: [Float]) {
        var random = SampleGenerator(seed: seed)
        var q = random.normals(heads * queries * width)
        var k = random.normals(heads * keys * width)
        let v = random.normals(heads * keys * width)
        func scaleKey(_ head: Int, _ key: Int, by factor: Float) {
            for c in 0..<width { k[(head * keys + key) * width + c] *= factor }
        }
        switch self {
        case .normal: break
        case .spiky:
            for head in 0..<heads {
                for spike in 0..<4 { scaleKey(head, (keys / 2 + spike * 3) % keys, by: 10) }
            }
        case .outlierChannels:
            for index in k.indices where index % width == 3 || index % width == width - 1 { k[index] *= 8 }
        case .needle:
            for head in 0..<heads {
                let key = keys * 2 / 3
                for c in 0..<width {
                    let value: Float = c % 2 == 0 ? 3 : -3
                    k[(head * keys + key) * width + c] = value
                    q[(head * queries + queries / 5) * width + c] = value
                    // The neighbour hides the needle in the representation of its block.
                    if key + 1 < keys { k[(head * keys + key + 1) * width + c] = -1.5 * value }
                }
            }
        case .ramped:
            for head in 0..<heads {
                for key in 0..<keys { scaleKey(head, key, by: 0.1 + 6 * Float(key) / Float(keys)) }
            }
        case .huge:
            for head in 0..<heads {
                for key in stride(from: keys / 2, to: min(keys, keys / 2 + 2), by: 1) { scaleKey(head, key, by: 800) }
            }
        case .allEqual:
            q = q.map { _ in 0.5 }
            k = k.map { _ in 0.25 }
        case .peaked: q = q.map { $0 * 4 }
        }
        return (q, k, v)
    }
}

/// Rounds to the nearest bfloat16, ties to even.
func roundedToBFloat16(_ x: Float) -> Float { Float(bitPattern: UInt32(bfloat16Bits(x)) << 16) }

func bfloat16Bits(_ x: Float) -> UInt16 {
    if x.isNaN { return UInt16(x.bitPattern >> 16) | 0x40 }
    return UInt16((x.bitPattern &+ 0x7FFF &+ (x.bitPattern >> 16 & 1)) >> 16)
}

/// Runs a kernel on dense (batch · heads, tokens, width) arrays.
struct AttentionRun {
    var kernel: AttentionKernel
    var o: [Float]
    var logSumExp: [Float]
    var counters: AttentionKernelCounters

    init(
        _ kernel: AttentionKernel, q: [Float], k: [Float], v: [Float],
        certificate: UnsafeMutablePointer<Float>? = nil, pool: WorkerPool? = nil
    ) {
        self.kernel = kernel
        let rows = kernel.batch * kernel.heads * kernel.queries
        var o = [Float](repeating: .nan, count: rows * kernel.width)
        var logSumExp = [Float](repeating: .nan, count: rows)
        counters = AttentionRun.withOperands(kernel, [q, k, v, o]) { operands, results in
            let counters = kernel.forward(
                q: operands[0], k: operands[1], v: operands[2], into: operands[3], logSumExp: &logSumExp,
                certificate: certificate, pool: pool)
            o = results(3)
            return counters
        }
        self.o = o
        self.logSumExp = logSumExp
    }

    /// Gradients of Σ oGradient · o.
    func backward(
        q: [Float], k: [Float], v: [Float], oGradient: [Float], pool: WorkerPool? = nil
    ) -> (q: [Float], k: [Float], v: [Float]) {
        var logSumExp = self.logSumExp
        let nan = { (x: [Float]) in x.map { _ in Float.nan } }
        return AttentionRun.withOperands(kernel, [q, k, v, o, oGradient, nan(q), nan(k), nan(v)]) { operands, results in
            kernel.backward(
                q: operands[0], k: operands[1], v: operands[2], o: operands[3], logSumExp: &logSumExp,
                oGradient: operands[4], intoQ: operands[5], k: operands[6], v: operands[7], pool: pool)
            return (results(5), results(6), results(7))
        }
    }

    /// Copies arrays (batch · heads, tokens, width) to the kernel's storage type, hands out operands on them, and reads
    /// them back as float32.
    private static func withOperands<R>(
        _ kernel: AttentionKernel, _ arrays: [[Float]], _ body: ([AttentionOperand], (Int) -> [Float]) -> R
    ) -> R {
        let size = kernel.storage.byteCount
        let memory = arrays.map {
            UnsafeMutableRawPointer.allocate(byteCount: max(1, $0.count * size), alignment: 64)
        }
        defer { for block in memory { block.deallocate() } }
        for (array, block) in zip(arrays, memory) {
            for (index, value) in array.enumerated() {
                if kernel.storage == .float32 {
                    block.storeBytes(of: value, toByteOffset: index * 4, as: Float.self)
                } else {
                    block.storeBytes(of: bfloat16Bits(value), toByteOffset: index * 2, as: UInt16.self)
                }
            }
        }
        let operands = zip(arrays, memory).map { array, block in
            AttentionOperand.headsTokens(
                block, tokens: array.count / (kernel.batch * kernel.heads * kernel.width), heads: kernel.heads,
                width: kernel.width)
        }
        return body(operands) { index in
            (0..<arrays[index].count).map {
                kernel.storage == .float32
                    ? memory[index].load(fromByteOffset: $0 * 4, as: Float.self)
                    : Float(bitPattern: UInt32(memory[index].load(fromByteOffset: $0 * 2, as: UInt16.self)) << 16)
            }
        }
    }
}

/// The root of the sum of squared differences over that of the truth.
func relativeError(_ values: [Float], _ truth: [Double]) -> Double {
    var difference = 0.0
    var norm = 0.0
    for (value, exact) in zip(values, truth) {
        difference += (Double(value) - exact) * (Double(value) - exact)
        norm += exact * exact
    }
    return (difference / max(norm, 1e-300)).squareRoot()
}
