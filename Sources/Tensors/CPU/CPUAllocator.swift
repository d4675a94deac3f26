import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps freed blocks for the next request of the same size.
///
/// A training step asks for the same sizes in every iteration. Memory fresh from the kernel costs a page fault each
/// 4 KiB (measured: writing 38 MB of fresh pages takes longer than the layer norm that fills them), so blocks are
/// kept, by size class, until ``trim()``.
///
/// Threads have shelves of their own, so that data-parallel workers neither wait for each other nor exchange memory that is
/// near to one of them. A block returns to the shelf it was taken from, whichever thread frees it; only a thread whose shelf
/// lacks a size looks on the others.
final class CPUAllocator: Sendable {
    /// A piece of memory in use.
    struct Block: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
        let capacity: Int
        fileprivate let shelf: Int
    }

    // The pointers in the free lists belong to nobody else, so handing them between threads is safe.
    private struct State: @unchecked Sendable {
        var free: [Int: [UnsafeMutableRawPointer]] = [:]
        var liveBytes = 0
        var reservedBytes = 0
    }

    private final class Shelf: Sendable {
        let state = Mutex(State())
    }

    private let shelves = (0..<ThreadShard.count).map { _ in Shelf() }

    init() {}

    deinit { trim() }

    /// Size classes: multiples of 64 bytes to 4 KiB, then eight a power of two, so at most 1/8 is wasted.
    private static func capacity(for byteCount: Int) -> Int {
        guard byteCount > 4096 else { return max(64, (byteCount + 63) & ~63) }
        let step = 1 << (Int.bitWidth - (byteCount - 1).leadingZeroBitCount - 4)
        return (byteCount + step - 1) & ~(step - 1)
    }

    /// Memory for at least so many bytes, aligned to 64 bytes (2 MiB for large blocks), contents undefined.
    func take(byteCount: Int) -> Block {
        let capacity = Self.capacity(for: byteCount)
        let own = ThreadShard.current
        let recycled: Block? = shelves[own].state.withLock { state in
            state.liveBytes += capacity
            guard let pointer = state.free[capacity]?.popLast() else { return nil }
            return Block(pointer: pointer, capacity: capacity, shelf: own)
        }
        if let recycled { return recycled }
        for offset in 1..<shelves.count {
            let found: Block? = shelves[(own + offset) % shelves.count].state.withLock { state in
                guard let pointer = state.free[capacity]?.popLast() else { return nil }
                state.reservedBytes -= capacity
                return Block(pointer: pointer, capacity: capacity, shelf: own)
            }
            guard let found else { continue }
            shelves[own].state.withLock { $0.reservedBytes += capacity }
            return found
        }
        shelves[own].state.withLock { $0.reservedBytes += capacity }
        let large = 1 << 21
        var pointer: UnsafeMutableRawPointer?
        guard posix_memalign(&pointer, capacity >= large ? large : 64, capacity) == 0, let pointer else {
            fatalError("[CPUBackend] out of memory: \(capacity) bytes asked for")
        }
        // Large pages: one fault and one TLB entry for 2 MiB instead of 512.
        if capacity >= large { madvise(pointer, capacity, MADV_HUGEPAGE) }
        return Block(pointer: pointer, capacity: capacity, shelf: own)
    }

    func giveBack(_ block: Block) {
        shelves[block.shelf].state.withLock {
            $0.liveBytes -= block.capacity
            $0.free[block.capacity, default: []].append(block.pointer)
        }
    }

    /// Returns all recycled blocks to the system.
    func trim() {
        for shelf in shelves {
            shelf.state.withLock { state in
                for (capacity, blocks) in state.free {
                    for block in blocks { free(block) }
                    state.reservedBytes -= capacity * blocks.count
                }
                state.free.removeAll()
            }
        }
    }

    var liveByteCount: Int { shelves.reduce(0) { $0 + $1.state.withLock { $0.liveBytes } } }
    var reservedByteCount: Int { shelves.reduce(0) { $0 + $1.state.withLock { $0.reservedBytes } } }
}

/// Divides what all threads share into parts, so that few threads meet at one lock.
enum ThreadShard {
    static let count = 64

    /// The part of the calling thread: the upper bits of its handle times the golden ratio.
    static var current: Int {
        let handle = withUnsafeBytes(of: pthread_self()) { $0.load(as: UInt64.self) }
        return Int((handle &* 0x9E37_79B9_7F4A_7C15) >> 58)
    }
}
