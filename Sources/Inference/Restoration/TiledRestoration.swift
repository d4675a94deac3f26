import ImageProcessing
import Kernels
import Models
import Synchronization
import Tensors

/// A network's answer for a plane of any size, put together from overlapping tiles.
///
/// Tiles begin at multiples of the network's grid and overlap by its reach, and only what no tile's edge has touched is kept:
/// the result is that of the whole plane at once, up to rounding. At the plane's own edge pixels are mirrored up to a whole
/// number of grid cells.
struct TiledRestoration {
    let network: RestorationNetwork
    let execution: Execution
    /// Side of what is kept of a tile, pixels; a multiple of 8.
    var tileSide = 512

    /// The answer in σ.
    struct Answer {
        var restored: [Float]
        /// Standard deviation, before calibration.
        var deviation: [Float]
        /// Probability of being an artefact.
        var artefact: [Float]
        /// Detail within pixels and its standard deviation, on pixels half as wide.
        var detail: [Float] = []
        var detailDeviation: [Float] = []
    }

    /// - Parameter progress: called with the number of tiles done, one call at a time.
    func callAsFunction(
        _ input: RestorationInput, fine: Bool, pool: WorkerPool, progress: (Int) -> Void = { _ in }
    ) -> Answer {
        let (width, height) = (input.width, input.height)
        let (columns, rows) = (grid(width), grid(height))
        let tiles = rows.flatMap { row in columns.map { (row, $0) } }
        let count = width * height
        let detail = fine ? input.fineDetail : []
        let answer = Mutex(
            Answer(
                restored: input.base, deviation: input.scale, artefact: [Float](repeating: 0, count: count),
                detail: detail, detailDeviation: [Float](repeating: 0, count: detail.count)))
        let done = Mutex(0)
        pool.parallelFor(tiles.count) { index in
            let (row, column) = tiles[index]
            let tile = network(self.tile(input, rows: row.seen, columns: column.seen), fine: fine, execution)
            let part = Part(tile, rows: row, columns: column, width: width)
            answer.withLock { part.add(to: &$0, input) }
            done.withLock {
                $0 += 1
                progress($0)
            }
        }
        return answer.withLock { $0 }
    }

    /// Number of tiles of a plane.
    func tileCount(width: Int, height: Int) -> Int { grid(width).count * grid(height).count }

    /// A stretch of one axis: the pixels that are kept of a tile, and those that it sees.
    struct Stretch {
        var kept: Range<Int>
        /// May end beyond the plane, where it is mirrored.
        var seen: Range<Int>
    }

    private func grid(_ length: Int) -> [Stretch] {
        let unit = RestorationConfiguration.multiple
        let end = (length + unit - 1) / unit * unit
        let margin = (network.configuration.reach + unit - 1) / unit * unit
        return stride(from: 0, to: length, by: tileSide).map { start in
            Stretch(
                kept: start..<min(start + tileSide, length),
                seen: max(0, start - margin)..<min(end, start + tileSide + margin))
        }
    }

    private func tile(_ input: RestorationInput, rows: Range<Int>, columns: Range<Int>) -> Tensor {
        let channels = RestorationInput.channels
        var values = [Float](repeating: 0, count: channels * rows.count * columns.count)
        let size = input.width * input.height
        let places = columns.map { $0 < input.width ? $0 : max(0, 2 * input.width - 2 - $0) }
        var to = 0
        for channel in 0..<channels {
            for y in rows {
                let row = y < input.height ? y : max(0, 2 * input.height - 2 - y)
                let from = channel * size + row * input.width
                for x in places {
                    values[to] = input.planes[from + x]
                    to += 1
                }
            }
        }
        return Tensor(values, shape: [1, channels, rows.count, columns.count], on: network.backend)
    }
}

/// The numbers of one tile on their way into the whole.
private struct Part {
    let rows: TiledRestoration.Stretch
    let columns: TiledRestoration.Stretch
    let width: Int
    let correction: [Float]
    let deviation: [Float]
    let artefact: [Float]
    let fine: (correction: [Float], deviation: [Float])?

    init(
        _ answer: RestorationNetwork.Answer, rows: TiledRestoration.Stretch, columns: TiledRestoration.Stretch,
        width: Int
    ) {
        (self.rows, self.columns, self.width) = (rows, columns, width)
        correction = answer.correction.floats()
        deviation = answer.logVariance.scaled(by: 0.5).exp().floats()
        artefact = answer.artefact.sigmoid().floats()
        if let detail = answer.fineCorrection, let variance = answer.fineLogVariance {
            fine = (
                RestorationInput.withoutPixelMeans(detail.floats(), width: 2 * columns.seen.count),
                variance.scaled(by: 0.5).exp().floats()
            )
        } else {
            fine = nil
        }
    }

    func add(to answer: inout TiledRestoration.Answer, _ input: RestorationInput) {
        let tileWidth = columns.seen.count
        for y in rows.kept {
            for x in columns.kept {
                let from = (y - rows.seen.lowerBound) * tileWidth + x - columns.seen.lowerBound
                let to = y * width + x
                answer.restored[to] += input.scale[to] * correction[from]
                answer.deviation[to] *= deviation[from]
                answer.artefact[to] = artefact[from]
            }
        }
        guard let fine else { return }
        for y in 2 * rows.kept.lowerBound..<2 * rows.kept.upperBound {
            for x in 2 * columns.kept.lowerBound..<2 * columns.kept.upperBound {
                let from = (y - 2 * rows.seen.lowerBound) * 2 * tileWidth + x - 2 * columns.seen.lowerBound
                let to = y * 2 * width + x
                let scale = input.scale[y / 2 * width + x / 2] / 4
                answer.detail[to] += scale * fine.correction[from]
                answer.detailDeviation[to] = scale * fine.deviation[from]
            }
        }
    }
}
