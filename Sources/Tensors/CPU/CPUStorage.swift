import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Storage in the host's memory, aligned to 64 bytes (2 MiB for large blocks), recycled by its allocator.
final class CPUStorage: Storage, @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
    private let block: CPUAllocator.Block
    private let allocator: CPUAllocator
    /// Copies of this storage's values in the forms that products prefer.
    private let copies = Mutex<[PackedCopy]>([])

    /// Fills a packed copy from the values it was made of.
    typealias Packing = @Sendable (_ copy: CPUStorage) -> Void

    private struct PackedCopy {
        let form: PackedForm
        let storage: CPUStorage
        /// Fills the storage again after a change; must not hold on to the storage that the copy belongs to.
        let pack: Packing?
        /// Whether the values are still those it was made of.
        var isCurrent = true
        /// Whether it was asked for since it was last filled.
        var wasUsed = true
    }

    /// The form of a packed copy.
    enum PackedForm: Equatable {
        /// A layout of oneDNN.
        case layout(OneDNN.Layout)
        /// A layout of oneDNN for the transpose.
        case transposed(OneDNN.Layout)
        /// Bfloat16 parts of a weight of this shape.
        case parts(Int, shape: [Int])
        /// The rows of a weight of this shape as 8-bit integers in a layout of oneDNN.
        case quantized(OneDNN.Layout)
        /// The scales of those rows, then the sums of the rows so rounded: float32.
        case scalesAndSums(rows: Int)
    }

    init(byteCount: Int, allocator: CPUAllocator, backend: any Backend) {
        self.allocator = allocator
        block = allocator.take(byteCount: byteCount)
        pointer = block.pointer
        super.init(backend: backend, byteCount: byteCount)
    }

    deinit { allocator.giveBack(block) }

    /// The copy in a form, if there is one.
    func packed(as form: PackedForm) -> CPUStorage? {
        copies.withLock { copies in
            guard let index = copies.firstIndex(where: { $0.isCurrent && $0.form == form }) else { return nil }
            copies[index].wasUsed = true
            return copies[index].storage
        }
    }

    /// Keeps a copy in a form until the values change.
    /// - Parameter pack: how ``refreshCopies()`` fills it again; without it a change ends the copy.
    /// - Returns: the copy that is kept: another one, where two threads made the same copy at the same time. Only that one lives as
    ///   long as the values.
    func keep(_ storage: CPUStorage, as form: PackedForm, pack: Packing? = nil) -> CPUStorage {
        copies.withLock { copies in
            if let known = copies.first(where: { $0.isCurrent && $0.form == form }) { return known.storage }
            copies.removeAll { $0.form == form }
            copies.append(PackedCopy(form: form, storage: storage, pack: pack))
            return storage
        }
    }

    /// Forgets the values of packed copies; called by everything that writes in place.
    func valuesChanged() {
        copies.withLock { copies in
            if copies.isEmpty { return }
            copies.removeAll { $0.pack == nil || !$0.wasUsed }
            for index in copies.indices { copies[index].isCurrent = false }
        }
    }

    /// Fills the copies anew that were in use before the values changed, so that the threads that ask for them next do not all
    /// pack the same weight. The caller must be the only user of the storage.
    func refreshCopies() {
        copies.withLock { copies in
            for index in copies.indices where !copies[index].isCurrent {
                copies[index].pack?(copies[index].storage)
                copies[index].isCurrent = true
                copies[index].wasUsed = false
            }
        }
    }
}
