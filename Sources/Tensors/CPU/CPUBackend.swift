internal import CDNNL
internal import Kernels
import Synchronization

/// Computes on the host: matrix products and convolutions by oneDNN, attention and the loops no library has by `Kernels`.
///
/// - With `threads: 1` everything runs on the calling thread: data-parallel workers, one a core, share one such backend
///   and the parameters on it.
/// - With more threads a single operation is split: oneDNN through its OpenMP run time, the rest over a worker pool.
public final class CPUBackend: Backend {
    public let name = "cpu"
    public let profiler = Profiler()
    /// Threads an operation is split over.
    public let threads: Int
    /// How float32 matrices are multiplied.
    public let float32Products: Float32Products

    let allocator = CPUAllocator()
    let dnnl: OneDNN
    let kernels = HostKernels()
    /// Splits what oneDNN does not do; nil with one thread.
    let pool: WorkerPool?
    let attentionCounts = Mutex(AttentionCounters())
    let attentionScratch = AttentionScratch()

    public init(threads: Int = 1, float32Products: Float32Products = .automatic) {
        precondition(threads > 0, "[CPUBackend] expected at least one thread, got \(threads)")
        self.threads = threads
        self.float32Products = float32Products
        dnnl = OneDNN(threads: threads, allocator: allocator)
        pool = threads > 1 ? WorkerPool(threads: threads) : nil
    }

    // MARK: - Memory

    public func allocate(byteCount: Int) -> Storage {
        CPUStorage(byteCount: byteCount, allocator: allocator, backend: self)
    }

    public func upload(_ bytes: UnsafeRawBufferPointer, to storage: Storage) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        host(storage).valuesChanged()
        host(storage).pointer.copyMemory(from: source, byteCount: bytes.count)
    }

    public func download(_ storage: Storage, into bytes: UnsafeMutableRawBufferPointer) {
        guard let target = bytes.baseAddress, bytes.count > 0 else { return }
        target.copyMemory(from: host(storage).pointer, byteCount: bytes.count)
    }

    /// Bytes of storage now held by tensors.
    public var liveByteCount: Int { allocator.liveByteCount }

    /// Bytes taken from the system: held by tensors, or kept for reuse.
    public var reservedByteCount: Int { allocator.reservedByteCount }

    /// Returns memory kept for reuse to the system.
    public func trim() { allocator.trim() }

    // MARK: - Access

    func host(_ storage: Storage) -> CPUStorage {
        precondition(
            storage.backend === self, "[CPUBackend] expected a tensor of this backend, got one of another backend")
        return unsafeDowncast(storage, to: CPUStorage.self)
    }

    func raw(_ tensor: Tensor) -> UnsafeMutableRawPointer { host(tensor.storage).pointer }

    func floats(_ tensor: Tensor) -> UnsafeMutablePointer<Float> {
        host(tensor.storage).pointer.assumingMemoryBound(to: Float.self)
    }

    func bfloats(_ tensor: Tensor) -> UnsafeMutablePointer<UInt16> {
        host(tensor.storage).pointer.assumingMemoryBound(to: UInt16.self)
    }

    func indices(_ tensor: Tensor) -> UnsafeMutablePointer<Int32> {
        host(tensor.storage).pointer.assumingMemoryBound(to: Int32.self)
    }

    /// Runs `body` over `0..<rows` in ranges, on all threads if the elements are many enough to be worth waking them.
    @inline(__always)
    func split(_ rows: Int, columns: Int, _ body: (Range<Int>) -> Void) {
        if let pool, rows * columns >= 1 << 15 {
            pool.parallelRanges(rows, body)
        } else {
            body(0..<rows)
        }
    }

    /// Runs `body` with float32 stand-ins for the bfloat16 tensors among the arguments and converts the result back.
    func throughFloat32(_ inputs: [Tensor], into out: Tensor, _ body: ([Tensor], Tensor) -> Void) {
        let wide = inputs.map { $0.dtype == .bfloat16 ? $0.detached.cast(to: .float32) : $0 }
        if out.dtype == .float32 {
            body(wide, out)
        } else {
            let result = Tensor.uninitialized(shape: out.shape, on: self)
            body(wide, result)
            convert(result, into: out)
        }
    }
}

extension DType {
    /// The type's name in `Kernels`; traps for indices.
    var element: ElementType {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .int32: preconditionFailure("[Kernels] expected floating-point elements, got int32")
        }
    }
}
