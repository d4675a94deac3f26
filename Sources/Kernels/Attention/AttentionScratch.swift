import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Memory that attentions use while they run. One that is kept saves the system the work of handing out fresh pages for each
/// call: up to a twentieth of the time of a short attention.
///
/// Any number of threads may use one at once.
///
/// `@unchecked Sendable`: a block is owned by the list, which a lock guards, or by the one call that took it.
public final class AttentionScratch: @unchecked Sendable {
    private struct Block: @unchecked Sendable {
        var pointer: UnsafeMutableRawPointer
        var byteCount: Int
    }

    private let idle = Mutex<[Block]>([])

    public init() {}

    deinit { idle.withLock { $0.forEach { free($0.pointer) } } }

    /// Calls `body` with memory aligned to a page.
    func with(byteCount: Int, _ body: (UnsafeMutableRawPointer) -> Void) {
        let wanted = max(byteCount, 64)
        var block = idle.withLock { $0.popLast() }
        if let small = block, small.byteCount < wanted {
            free(small.pointer)
            block = nil
        }
        let owned = block ?? Block(pointer: Self.allocate(wanted), byteCount: wanted)
        defer { idle.withLock { $0.append(owned) } }
        body(owned.pointer)
    }

    private static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        var pointer: UnsafeMutableRawPointer?
        guard posix_memalign(&pointer, 4096, byteCount) == 0, let pointer else {
            fatalError("[attention] out of memory: \(byteCount) bytes asked for")
        }
        return pointer
    }
}
