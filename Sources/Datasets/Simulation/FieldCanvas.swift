import Foundation

/// Adds up the light of sources and keeps, for each pixel, the brightest of them.
struct FieldCanvas {
    private let size: Int
    private let bands: Int
    private let threshold: Float
    /// 1 / (bands · σ of the sky).
    private let weights: [Float]
    private let fineFactor: Int
    private let hasSharp: Bool
    private(set) var noiseless: [Float]
    private(set) var sharp: [Float]?
    private(set) var fine: [Float]?
    private(set) var owners: [Int32]
    /// The owner's light and that of all sources, in units of noise.
    private var own: [Float]
    private var total: [Float]

    init(settings: FieldSettings, noise: [Float]) {
        size = settings.size
        bands = settings.bands.count
        threshold = Float(settings.segmentationThreshold)
        weights = noise.map { 1 / ($0 * Float(noise.count)) }
        fineFactor = settings.fineFactor
        hasSharp = settings.sharpFWHM != nil
        let empty = [Float](repeating: 0, count: bands * size * size)
        noiseless = empty
        sharp = hasSharp ? empty : nil
        fine = fineFactor == 2 ? [Float](repeating: 0, count: 4 * empty.count) : nil
        owners = [Int32](repeating: 0, count: size * size)
        own = [Float](repeating: 0, count: size * size)
        total = own
    }

    /// Adds a stamp; `fine` asks for one of cells.
    mutating func add(_ stamp: SceneRenderer.Stamp, number: Int, cellsPerPixel: Int) {
        let cells = fineFactor == 2 ? cellsPerPixel : 1
        let (columns, rows) = (stamp.width / cells, stamp.height / cells)
        let first = Self.coarse(stamp.planes[0], columns, rows, by: cells)
        let (left, right) = (max(0, stamp.x), min(size, stamp.x + columns))
        guard left < right else { return }
        for y in max(0, stamp.y)..<max(max(0, stamp.y), min(size, stamp.y + rows)) {
            for x in left..<right {
                let (from, to) = ((y - stamp.y) * columns + x - stamp.x, y * size + x)
                var signal: Float = 0
                for band in 0..<bands {
                    noiseless[band * size * size + to] += first[band][from]
                    signal += first[band][from] * weights[band]
                }
                total[to] += signal
                if signal > threshold, signal > own[to] {
                    own[to] = signal
                    owners[to] = Int32(number)
                }
            }
        }
        if hasSharp {
            Self.add(
                Self.coarse(stamp.planes[1], columns, rows, by: cells), columns, rows, stamp.x, stamp.y, to: &sharp!,
                size)
        }
        if fineFactor == 2 {
            Self.add(
                Self.coarse(stamp.planes[stamp.planes.count - 1], columns * 2, rows * 2, by: cells / 2), columns * 2,
                rows * 2, stamp.x * 2, stamp.y * 2, to: &fine!, size * 2)
        }
    }

    /// Numbers the pixels of each source and says which are blended.
    func finish(_ truths: inout [SourceTruth]) {
        var (light, others) = (
            [Float](repeating: 0, count: truths.count + 1), [Float](repeating: 0, count: truths.count + 1)
        )
        for pixel in owners.indices where owners[pixel] > 0 {
            let number = Int(owners[pixel])
            truths[number - 1].visiblePixels += 1
            light[number] += own[pixel]
            others[number] += total[pixel] - own[pixel]
        }
        for index in truths.indices { truths[index].blended = others[index + 1] > 0.2 * light[index + 1] }
    }

    private static func coarse(_ planes: [[Float]], _ columns: Int, _ rows: Int, by n: Int) -> [[Float]] {
        guard n > 1 else { return planes }
        return planes.map { plane in
            var result = [Float](repeating: 0, count: columns * rows)
            for y in 0..<rows * n {
                for x in 0..<columns * n { result[y / n * columns + x / n] += plane[y * columns * n + x] }
            }
            return result
        }
    }

    private static func add(
        _ planes: [[Float]], _ columns: Int, _ rows: Int, _ left: Int, _ bottom: Int, to sum: inout [Float], _ size: Int
    ) {
        for (band, plane) in planes.enumerated() {
            for y in max(0, bottom)..<max(max(0, bottom), min(size, bottom + rows)) {
                for x in max(0, left)..<max(max(0, left), min(size, left + columns)) {
                    sum[(band * size + y) * size + x] += plane[(y - bottom) * columns + x - left]
                }
            }
        }
    }
}
