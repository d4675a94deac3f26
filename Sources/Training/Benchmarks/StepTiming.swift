import Kernels
import Tensors

/// How long a training step takes, and what it spends its time on.
struct StepTiming {
    /// Seconds of the median step.
    let median: Double
    /// Of the time of all workers, from steps of their own with the profiler on.
    let breakdown: [BackboneBenchmark.Share]

    /// Times a step after one that warms up: at least three times, and for `seconds`.
    ///
    /// - Parameter backend: what the step computes on; its profiler is on afterwards.
    init(seconds: Double, workers: Int, backend: CPUBackend, _ step: () throws -> Void) rethrows {
        let clock = ContinuousClock()
        func time() throws -> Double {
            let start = clock.now
            try step()
            return (clock.now - start) / .seconds(1)
        }
        _ = try time()
        var times: [Double] = []
        while times.count < 3 || times.reduce(0, +) < seconds { times.append(try time()) }
        times.sort()
        backend.profiler.isEnabled = true
        var available = 0.0
        for _ in 0..<max(1, min(times.count, 5)) { available += try time() * Double(workers) }
        median = times[times.count / 2]
        breakdown = backend.profiler.entries.map { .init(work: $0.kind.title, share: $0.seconds / available) }
    }
}
