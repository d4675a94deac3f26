internal import CKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A fixed set of threads that share the iterations of a loop.
///
/// The iterations are divided into as many contiguous ranges as there are threads, always in the same way, so a loop
/// whose iterations write to different places gives the same result in every run. The caller works on the first range
/// itself; the others wait in a short spin for the next loop and then sleep.
///
/// A loop started from inside a loop of the same pool, or while another thread's loop runs, is executed by its caller
/// alone. So data-parallel workers can share code with programs that split single operations.
///
/// ```swift
/// let pool = WorkerPool(threads: 2)
/// pool.parallelFor(rows) { row in normalize(row) }
/// ```
public final class WorkerPool: Sendable {
    /// Threads that work on a loop, the caller among them.
    public let threads: Int

    private let shared: Shared
    private let handles: [pthread_t]

    /// Starts `threads - 1` threads; with 1 every loop runs on its caller.
    public init(threads: Int) {
        precondition(threads > 0, "[WorkerPool] expected at least one thread, got \(threads)")
        self.threads = threads
        let shared = Shared(workers: threads - 1)
        self.shared = shared
        handles = (1..<threads).map { worker in
            let start = Unmanaged.passRetained(Start(shared: shared, worker: worker, threads: threads))
            var handle = pthread_t()
            let status = pthread_create(
                &handle, nil,
                { argument in
                    let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                    start.shared.serve(worker: start.worker, threads: start.threads)
                    return nil
                }, start.toOpaque())
            precondition(status == 0, "[WorkerPool] cannot start thread \(worker) of \(threads): error \(status)")
            return handle
        }
    }

    deinit {
        shared.stop()
        for handle in handles { pthread_join(handle, nil) }
    }

    /// Calls `body` once for each index in `0..<count`, from several threads at once, and returns when all are done.
    ///
    /// `body` must be safe to call concurrently with different indices.
    public func parallelFor(_ count: Int, _ body: (Int) -> Void) {
        parallelRanges(count) { range in
            for index in range { body(index) }
        }
    }

    /// Calls `body` with disjoint ranges that cover `0..<count`, at most one for each thread, from several threads at
    /// once, and returns when all are done.
    public func parallelRanges(_ count: Int, _ body: (Range<Int>) -> Void) {
        guard count > 0 else { return }
        guard threads > 1, count > 1, shared.claim() else {
            body(0..<count)
            return
        }
        withoutActuallyEscaping(body) { body in
            shared.begin(Loop(count: count, body: body))
            if let range = WorkerPool.range(of: 0, threads: threads, count: count) { body(range) }
            shared.finish()
        }
    }

    fileprivate static func range(of worker: Int, threads: Int, count: Int) -> Range<Int>? {
        let begin = worker * count / threads
        let end = (worker + 1) * count / threads
        return begin < end ? begin..<end : nil
    }
}

private struct Loop {
    let count: Int
    let body: (Range<Int>) -> Void
}

/// What a thread needs to begin.
private final class Start {
    let shared: Shared
    let worker: Int
    let threads: Int

    init(shared: Shared, worker: Int, threads: Int) {
        self.shared = shared
        self.worker = worker
        self.threads = threads
    }
}

/// State that the caller and the workers share.
///
/// `@unchecked`: `loop` is written only by the thread that holds `busy`, before it raises `generation` (release), and
/// read by workers only after they saw that generation (acquire) and before they count themselves out of `pending`.
private final class Shared: @unchecked Sendable {
    private let workers: Int
    private var loop: Loop?
    private let busy = Atomic<Bool>(false)
    private let generation = Atomic<Int>(0)
    private let pending = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// Turns of the waiting loop before a worker sleeps: about 50 µs, more than the gap between the loops of one layer
    /// and less than the scheduler's time slice.
    private static let spins = 1000

    init(workers: Int) {
        self.workers = workers
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
    }

    deinit {
        pthread_cond_destroy(wake)
        pthread_mutex_destroy(mutex)
        wake.deallocate()
        mutex.deallocate()
    }

    /// True for the one caller that may use the workers now.
    func claim() -> Bool { !busy.exchange(true, ordering: .acquiring) }

    func begin(_ loop: Loop) {
        self.loop = loop
        pending.store(workers, ordering: .relaxed)
        // Sequentially consistent with the sleepers' own order (count in, then look at the generation), so that
        // either we see the sleeper or it sees the new generation.
        generation.add(1, ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeAll() }
    }

    func finish() {
        var turns = 0
        while pending.load(ordering: .acquiring) > 0 {
            turns += 1
            if turns > Shared.spins { sched_yield() } else { kernel_pause() }
        }
        loop = nil
        busy.store(false, ordering: .releasing)
    }

    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        generation.add(1, ordering: .sequentiallyConsistent)
        wakeAll()
    }

    func serve(worker: Int, threads: Int) {
        var seen = 0
        while true {
            wait(beyond: seen)
            seen = generation.load(ordering: .acquiring)
            if stopping.load(ordering: .acquiring) { return }
            if let loop, let range = WorkerPool.range(of: worker, threads: threads, count: loop.count) {
                loop.body(range)
            }
            pending.subtract(1, ordering: .releasing)
        }
    }

    private func wait(beyond seen: Int) {
        for _ in 0..<Shared.spins {
            if generation.load(ordering: .acquiring) != seen { return }
            kernel_pause()
        }
        pthread_mutex_lock(mutex)
        sleepers.add(1, ordering: .sequentiallyConsistent)
        while generation.load(ordering: .sequentiallyConsistent) == seen { pthread_cond_wait(wake, mutex) }
        sleepers.subtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
    }

    private func wakeAll() {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
    }
}
