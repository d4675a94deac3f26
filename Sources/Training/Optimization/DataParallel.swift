public import Kernels
public import Models
public import Tensors

/// Computes gradients of one batch on several cores: each worker takes a share of the samples and runs forward and
/// backward alone, with single-threaded kernels and a tape of its own.
///
/// Shares are fixed by the number of workers and gradients are added in the order of the workers, so for a given number
/// of workers a seed gives the same model bit for bit. Another number of workers adds in another order and differs by
/// rounding.
public struct DataParallel: Sendable {
    /// The threads that do the work.
    public let pool: WorkerPool

    /// - Parameter workers: usually the number of cores.
    public init(workers: Int) {
        pool = WorkerPool(threads: workers)
    }

    /// The mean loss over a batch and its gradients, in the order of the network's parameters.
    ///
    /// - Parameters:
    ///   - network: its parameters live on a backend with one thread.
    ///   - batch: number of samples; each worker gets a contiguous range of them.
    ///   - loss: the mean loss of a range of samples, computed by a network that is on a tape.
    public func gradients<Network: Module>(
        of network: Network, batch: Int, loss: (Network, Range<Int>) throws -> Tensor
    ) throws -> (loss: Float, gradients: [Tensor]) {
        let workers = min(pool.threads, batch)
        var results = [Result<(loss: Float, gradients: [Tensor]), any Error>?](repeating: nil, count: workers)
        results.withUnsafeMutableBufferPointer { results in
            let results = results
            pool.parallelFor(workers) { worker in
                let range = (worker * batch / workers)..<((worker + 1) * batch / workers)
                results[worker] = Result {
                    try Self.gradients(of: network, share: Float(range.count) / Float(batch)) { try loss($0, range) }
                }
            }
        }
        let parts = try results.map { try $0!.get() }
        let sums = parts[0].gradients
        guard workers > 1 else { return (parts[0].loss, sums) }
        let slices = ElementSlices(sums)
        pool.parallelFor(slices.count) { index in
            let (tensor, range) = slices[index]
            sums[tensor].backend.accumulate(
                parts.dropFirst().map { $0.gradients[tensor] }, range: range, into: sums[tensor])
        }
        return (parts.reduce(0) { $0 + $1.loss }, sums)
    }

    /// Loss and gradients of one worker's samples, weighted by their share of the batch.
    private static func gradients<Network: Module>(
        of network: Network, share: Float, _ loss: (Network) throws -> Tensor
    ) throws -> (loss: Float, gradients: [Tensor]) {
        let tape = Tape()
        var watched = network
        watched.watch(on: tape)
        let value = try loss(watched)
        let scalar = value.scalar
        let gradients = tape.gradients(of: value, seed: share)
        // Two parameters whose sum was taken may have one gradient: each needs its own, because others are added in place.
        var seen: Set<ObjectIdentifier> = []
        let list = network.parameters.map { _, tensor in
            let gradient = gradients[tensor] ?? Tensor.zeros(tensor.shape, on: tensor.backend)
            return seen.insert(ObjectIdentifier(gradient.storage)).inserted ? gradient : gradient.copy()
        }
        return (scalar * share, list)
    }
}
