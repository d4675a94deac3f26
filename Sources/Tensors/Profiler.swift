import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Accumulates the time a backend spends in each kind of work, summed over the threads that call it.
///
/// Disabled it costs one atomic load an operation. What a wall clock shows beyond the sum is the engine's own
/// overhead (shape rules, allocation, the tape).
public final class Profiler: Sendable {
    /// Kinds of work.
    public enum Kind: Int, Sendable, CaseIterable {
        /// Matrix products by oneDNN.
        case product
        /// Convolutions by oneDNN.
        case convolution
        /// Attention kernels.
        case attention
        /// Layer, batch norm and softmax.
        case normalization
        /// Activations, sums, losses, reductions and optimiser steps.
        case elementwise
        /// Copies, conversions, changes of layout.
        case copy
        /// Random numbers.
        case random

        /// A name for tables.
        public var title: String {
            switch self {
            case .product: "matrix products"
            case .convolution: "convolutions (oneDNN)"
            case .attention: "attention kernel"
            case .normalization: "normalisation"
            case .elementwise: "element-wise"
            case .copy: "copies and layout"
            case .random: "random numbers"
            }
        }
    }

    /// Time and calls of one kind.
    public struct Entry: Sendable {
        public var kind: Kind
        public var seconds: Double
        public var calls: Int
    }

    private struct State {
        var nanoseconds = [UInt64](repeating: 0, count: Kind.allCases.count)
        var calls = [Int](repeating: 0, count: Kind.allCases.count)
    }

    private let enabled = Atomic<Bool>(false)
    private let state = Mutex(State())

    /// A disabled profiler.
    public init() {}

    /// Whether time is being accumulated.
    public var isEnabled: Bool {
        get { enabled.load(ordering: .relaxed) }
        set { enabled.store(newValue, ordering: .relaxed) }
    }

    /// Sets all sums to zero.
    public func reset() { state.withLock { $0 = State() } }

    /// The sums so far, largest first; kinds that did not occur are left out.
    public var entries: [Entry] {
        let snapshot = state.withLock { $0 }
        return Kind.allCases
            .map {
                Entry(
                    kind: $0, seconds: Double(snapshot.nanoseconds[$0.rawValue]) * 1e-9,
                    calls: snapshot.calls[$0.rawValue])
            }
            .filter { $0.calls > 0 }
            .sorted { $0.seconds > $1.seconds }
    }

    /// Runs the body and adds its time to a kind.
    ///
    /// - Parameter threads: threads that do such work at the same time for one caller; the time is divided by them.
    @inline(__always)
    func measure<Result>(_ kind: Kind, sharedBy threads: Int = 1, _ body: () -> Result) -> Result {
        guard isEnabled else { return body() }
        let start = Self.now()
        let result = body()
        let elapsed = (Self.now() - start) / UInt64(threads)
        state.withLock {
            $0.nanoseconds[kind.rawValue] += elapsed
            $0.calls[kind.rawValue] += 1
        }
        return result
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
