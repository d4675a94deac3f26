/// Peaks in cells, to find the nearest one without looking at all.
struct PeakGrid {
    private static let cell: Float = 8
    private(set) var peaks: [SourceGrouping.Peak] = []
    private let columns: Int
    private let rows: Int
    private var cells: [[Int]]

    init(width: Int, height: Int) {
        columns = Int(Float(width) / Self.cell) + 1
        rows = Int(Float(height) / Self.cell) + 1
        cells = [[Int]](repeating: [], count: columns * rows)
    }

    mutating func insert(_ peak: SourceGrouping.Peak) {
        let (column, row) = (Int(Float(peak.x) / Self.cell), Int(Float(peak.y) / Self.cell))
        cells[row * columns + column].append(peaks.count)
        peaks.append(peak)
    }

    /// The index of the nearest peak to a point, if there is one within a distance.
    func nearest(x: Float, y: Float, within reach: Float) -> Int? {
        guard x.isFinite, y.isFinite, reach.isFinite else { return nil }
        func range(_ value: Float, _ count: Int) -> ClosedRange<Int>? {
            let low = max(0, (value - reach) / Self.cell)
            let high = min(Float(count - 1), (value + reach) / Self.cell)
            return low <= high ? Int(low)...Int(high) : nil
        }
        guard let across = range(x, columns), let along = range(y, rows) else { return nil }
        var best: (index: Int, distance: Float)?
        for row in along {
            for column in across {
                for index in cells[row * columns + column] {
                    let (dx, dy) = (Float(peaks[index].x) - x, Float(peaks[index].y) - y)
                    let distance = dx * dx + dy * dy
                    if distance <= reach * reach, distance < best?.distance ?? .infinity { best = (index, distance) }
                }
            }
        }
        return best?.index
    }
}
