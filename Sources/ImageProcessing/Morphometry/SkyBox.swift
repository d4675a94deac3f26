/// A square of empty sky beside a source, and what it contributes to measures that add up absolute differences.
struct SkyBox {
    let light: Plane<Double>
    let mean: Double
    let median: Double
    let sigma: Double
    /// Mean |I₁₈₀ − I|.
    let asymmetry: Double
    let columns: Range<Int>
    let rows: Range<Int>

    /// The first empty box of 32 pixels a side, or of 16, 8, 4, 2 where there is none; nil where even these are not found.
    init?(_ stamp: SourceStamp, size: Int = 32) {
        let (width, height) = (stamp.width, stamp.height)
        var filled = [Int](repeating: 0, count: (width + 1) * (height + 1))
        for y in 0..<height {
            var row = 0
            for x in 0..<width {
                row += stamp.isSky[x, y] ? 0 : 1
                filled[(y + 1) * (width + 1) + x + 1] = filled[y * (width + 1) + x + 1] + row
            }
        }
        func isEmpty(_ x: Int, _ y: Int, _ side: Int) -> Bool {
            let (top, bottom) = ((y + side) * (width + 1), y * (width + 1))
            return filled[top + x + side] - filled[top + x] - filled[bottom + x + side] + filled[bottom + x] == 0
        }
        var side = size
        while side >= 2 {
            for y in 0..<max(0, height - side) {
                for x in 0..<max(0, width - side) where isEmpty(x, y, side) {
                    self.init(stamp.light.cropped(x..<x + side, y..<y + side), x..<x + side, y..<y + side)
                    return
                }
            }
            side /= 2
        }
        return nil
    }

    private init(_ light: Plane<Double>, _ columns: Range<Int>, _ rows: Range<Int>) {
        self.light = light
        self.columns = columns
        self.rows = rows
        let values = light.values
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let sorted = values.sorted()
        self.mean = mean
        median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        sigma = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
        asymmetry = zip(values, values.reversed()).reduce(0) { $0 + abs($1.0 - $1.1) } / count
    }

    /// Mean positive difference from the sky smoothed with a box.
    func smoothness(box: Int) -> Double {
        let smooth = light.boxFiltered(size: box)
        return zip(light.values, smooth.values).reduce(0) { $0 + max(0, $1.0 - $1.1) } / Double(light.values.count)
    }
}
