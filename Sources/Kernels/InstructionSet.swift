internal import CKernels

/// The instruction sets that kernels are written for, each a superset of those before it.
public enum InstructionSet: Int, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    /// Plain C for the baseline of the platform; the readable twin of the others.
    case portable
    /// AVX2 and FMA.
    case avx2
    /// AVX-512 F, BW, DQ and VL.
    case avx512
    /// AVX-512 with bfloat16 dot products.
    case avx512BF16
    /// AVX-512 with bfloat16 dot products and AMX tiles.
    case amx

    /// The best set that this processor and operating system offer, asked once.
    public static let best = InstructionSet(rawValue: Int(kernel_best_isa().rawValue)) ?? .portable

    /// The sets that this processor offers, the portable one first.
    public static var available: [InstructionSet] { allCases.filter { $0 <= best } }

    public static func < (a: InstructionSet, b: InstructionSet) -> Bool { a.rawValue < b.rawValue }

    public var description: String {
        switch self {
        case .portable: "portable"
        case .avx2: "AVX2"
        case .avx512: "AVX-512"
        case .avx512BF16: "AVX-512 BF16"
        case .amx: "AMX"
        }
    }

    /// The function table of this set.
    var table: UnsafePointer<kernel_table> {
        guard let table = kernel_table_for(kernel_isa(rawValue: UInt32(rawValue))) else {
            preconditionFailure(
                "[InstructionSet] expected a set this processor has (\(Self.best) or less), got \(self)")
        }
        return table
    }
}

/// How the elements of an array are stored. Arithmetic is float32 for both.
public enum ElementType: Int, Sendable, CaseIterable {
    case float32
    /// The upper half of a float32.
    case bfloat16

    /// Bytes an element.
    public var byteCount: Int { self == .float32 ? 4 : 2 }

    var kernelType: kernel_type { kernel_type(rawValue: UInt32(rawValue)) }
}
