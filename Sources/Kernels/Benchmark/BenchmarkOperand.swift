/// Memory of one operand of a benchmark; given back with the last reference.
final class BenchmarkOperand {
    let pointer: UnsafeMutableRawPointer
    private let count: Int
    private let type: ElementType

    /// - Parameter seed: of normal numbers; zeros when nil.
    init(count: Int, type: ElementType, seed: UInt64?) {
        self.count = count
        self.type = type
        pointer = .allocate(byteCount: count * type.byteCount, alignment: 64)
        var state = seed ?? 0
        for index in 0..<count {
            let value = seed == nil ? 0 : Self.normal(&state)
            switch type {
            case .float32: pointer.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
            case .bfloat16:
                // Nearest, ties upwards: only to have numbers that bfloat16 holds.
                pointer.storeBytes(
                    of: UInt16((value.bitPattern &+ 0x8000) >> 16), toByteOffset: 2 * index, as: UInt16.self)
            }
        }
    }

    deinit { pointer.deallocate() }

    var values: [Double] {
        (0..<count).map { index in
            switch type {
            case .float32: Double(pointer.load(fromByteOffset: 4 * index, as: Float.self))
            case .bfloat16:
                Double(Float(bitPattern: UInt32(pointer.load(fromByteOffset: 2 * index, as: UInt16.self)) << 16))
            }
        }
    }

    /// The sum of twelve uniform numbers (SplitMix64) less six.
    private static func normal(_ state: inout UInt64) -> Float {
        var sum: Float = -6
        for _ in 0..<12 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            sum += Float((z ^ (z >> 31)) >> 40) * 0x1p-24
        }
        return sum
    }
}
