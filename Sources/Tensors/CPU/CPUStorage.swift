import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Storage in the host's memory, aligned to 64 bytes (2 MiB for large blocks), recycled by its allocator.
final class CPUStorage: Storage, @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
    private let capacity: Int
    private let allocator: CPUAllocator
    /// Copies of this storage's values in the forms that products prefer; emptied when the values change.
    private let copies = Mutex<[(form: PackedForm, storage: CPUStorage)]>([])

    /// The form of a packed copy.
    enum PackedForm: Equatable {
        /// A layout of oneDNN.
        case layout(OneDNN.Layout)
        /// Bfloat16 parts of a weight of this shape.
        case parts(Int, shape: [Int])
        /// The rows of a weight of this shape as 8-bit integers in a layout of oneDNN.
        case quantized(OneDNN.Layout)
        /// The scales of those rows, then the sums of the rows so rounded: float32.
        case scalesAndSums(rows: Int)
    }

    init(byteCount: Int, allocator: CPUAllocator, backend: any Backend) {
        let capacity = CPUAllocator.capacity(for: byteCount)
        self.capacity = capacity
        self.allocator = allocator
        pointer = allocator.take(capacity: capacity)
        super.init(backend: backend, byteCount: byteCount)
    }

    deinit { allocator.giveBack(pointer, capacity: capacity) }

    /// The copy in a form, if there is one.
    func packed(as form: PackedForm) -> CPUStorage? {
        copies.withLock { copies in copies.first { $0.form == form }?.storage }
    }

    /// Keeps a copy in a form until the values change.
    func keep(_ storage: CPUStorage, as form: PackedForm) {
        copies.withLock { $0.append((form, storage)) }
    }

    /// Forgets packed copies; called by everything that writes in place.
    func valuesChanged() {
        copies.withLock { if !$0.isEmpty { $0.removeAll() } }
    }
}

/// Keeps freed blocks for the next request of the same size.
///
/// A training step asks for the same sizes in every iteration. Memory fresh from the kernel costs a page fault each
/// 4 KiB (measured: writing 38 MB of fresh pages takes longer than the layer norm that fills them), so blocks are
/// kept, by size class, until ``trim()``.
final class CPUAllocator: Sendable {
    private struct State {
        var free: [Int: [UnsafeMutableRawPointer]] = [:]
        var liveBytes = 0
        var reservedBytes = 0
    }

    // The pointers in the free lists belong to nobody else, so handing them between threads is safe.
    private let state = Mutex(Box(State()))

    private struct Box: @unchecked Sendable {
        var value: State
        init(_ value: State) { self.value = value }
    }

    init() {}

    deinit { trim() }

    /// Size classes: multiples of 64 bytes to 4 KiB, then eight a power of two, so at most 1/8 is wasted.
    static func capacity(for byteCount: Int) -> Int {
        guard byteCount > 4096 else { return max(64, (byteCount + 63) & ~63) }
        let step = 1 << (Int.bitWidth - (byteCount - 1).leadingZeroBitCount - 4)
        return (byteCount + step - 1) & ~(step - 1)
    }

    func take(capacity: Int) -> UnsafeMutableRawPointer {
        let recycled: UnsafeMutableRawPointer? = state.withLock {
            $0.value.liveBytes += capacity
            if let pointer = $0.value.free[capacity]?.popLast() { return pointer }
            $0.value.reservedBytes += capacity
            return nil
        }
        if let recycled { return recycled }
        let large = 1 << 21
        var pointer: UnsafeMutableRawPointer?
        guard posix_memalign(&pointer, capacity >= large ? large : 64, capacity) == 0, let pointer else {
            fatalError("[CPUBackend] out of memory: \(capacity) bytes asked for")
        }
        // Large pages: one fault and one TLB entry for 2 MiB instead of 512.
        if capacity >= large { madvise(pointer, capacity, MADV_HUGEPAGE) }
        return pointer
    }

    func giveBack(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
        state.withLock {
            $0.value.liveBytes -= capacity
            $0.value.free[capacity, default: []].append(pointer)
        }
    }

    /// Returns all recycled blocks to the system.
    func trim() {
        state.withLock {
            for (capacity, blocks) in $0.value.free {
                for block in blocks { free(block) }
                $0.value.reservedBytes -= capacity * blocks.count
            }
            $0.value.free.removeAll()
        }
    }

    var liveByteCount: Int { state.withLock { $0.value.liveBytes } }
    var reservedByteCount: Int { state.withLock { $0.value.reservedBytes } }
}
