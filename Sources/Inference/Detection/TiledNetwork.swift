import Kernels
public import Models
import Synchronization
import Tensors

/// Runs the detection network over images of any size in overlapping tiles.
///
/// Only the core of each tile is kept, so that every pixel of the result was seen with at least `halo` pixels around it (or the
/// image's edge); tiles begin at multiples of the network's stride, so that its coarse grids lie the same in all of them. The
/// maps of a whole image are put together before sources are made of them: no source knows of tiles.
public struct TiledNetwork: Sendable {
    public let network: DetectionNetwork
    /// Side of the part of a tile that is kept, pixels.
    public let core: Int
    /// What surrounds it.
    public let halo: Int
    /// Tiles are computed by so many threads.
    public let workers: Int
    public let execution: Execution

    /// - Parameters:
    ///   - network: on a backend with one thread.
    ///   - core, halo: multiples of the network's stride.
    public init(
        _ network: DetectionNetwork, core: Int = 256, halo: Int = 96, workers: Int, execution: Execution = Execution()
    ) {
        let stride = network.configuration.stride
        precondition(
            core > 0 && core % stride == 0 && halo >= 0 && halo % stride == 0 && workers > 0,
            "[TiledNetwork] expected core and halo of multiples of \(stride), got \(core) and \(halo)")
        self.network = network
        self.core = core
        self.halo = halo
        self.workers = workers
        self.execution = execution
    }

    /// The maps of an image.
    ///
    /// - Parameters:
    ///   - significance: height × width, pixels in units of their noise.
    ///   - mask: not 0 is masked. What lies outside the image counts as masked.
    public func maps(significance: [Float], mask: [UInt8], width: Int, height: Int) -> DetectionMaps {
        let columns = (width + core - 1) / core
        let rows = (height + core - 1) / core
        let result = Mutex(DetectionMaps(width: width, height: height))
        let pool = WorkerPool(threads: min(workers, columns * rows))
        pool.parallelFor(columns * rows) { tile in
            let (left, bottom) = (tile % columns * core, tile / columns * core)
            // An image smaller than a core needs no full tile.
            let stride = network.configuration.stride
            let reach = min(core, (max(width - left, height - bottom) + stride - 1) / stride * stride)
            let side = reach + 2 * halo
            let corner = (x: left - halo, y: bottom - halo)
            var cut = (
                significance: [Float](repeating: 0, count: side * side),
                mask: [UInt8](repeating: 1, count: side * side)
            )
            for y in max(0, corner.y)..<min(height, corner.y + side) {
                let first = max(0, corner.x)
                let count = min(width, corner.x + side) - first
                let from = y * width + first
                let to = (y - corner.y) * side + first - corner.x
                for i in 0..<count {
                    cut.significance[to + i] = significance[from + i]
                    cut.mask[to + i] = mask[from + i]
                }
            }
            let input = Tensor(
                DetectionNetwork.input(significance: cut.significance, mask: cut.mask), shape: [1, 2, side, side],
                on: network.backend)
            let maps = network(input, execution).floats()
            result.withLock {
                $0.take(
                    maps, side: side, corner: corner, columns: left..<min(width, left + core),
                    rows: bottom..<min(height, bottom + core))
            }
        }
        return result.withLock { $0 }
    }
}
