/// One band of an image, or a map of it, for measurements: row-major, pixel centres are integers from 0.
package struct Plane<Value: Sendable>: Sendable {
    package let width: Int
    package let height: Int
    /// height × width.
    package var values: [Value]

    package init(width: Int, height: Int, values: [Value]) {
        precondition(
            values.count == width * height, "[Plane] expected \(height) × \(width) values, got \(values.count)")
        self.width = width
        self.height = height
        self.values = values
    }

    package init(width: Int, height: Int, filledWith value: Value) {
        self.init(width: width, height: height, values: [Value](repeating: value, count: width * height))
    }

    package subscript(x: Int, y: Int) -> Value {
        get { values[y * width + x] }
        set { values[y * width + x] = newValue }
    }

    /// The part of the plane at these columns and rows.
    package func cropped(_ columns: Range<Int>, _ rows: Range<Int>) -> Plane {
        var part: [Value] = []
        part.reserveCapacity(columns.count * rows.count)
        for y in rows { part += values[(y * width + columns.lowerBound)..<(y * width + columns.upperBound)] }
        return Plane(width: columns.count, height: rows.count, values: part)
    }

    package func map<Other>(_ transform: (Value) -> Other) -> Plane<Other> {
        Plane<Other>(width: width, height: height, values: values.map(transform))
    }
}

extension Plane<Double> {
    /// The values where a map is true, 0 elsewhere.
    func kept(where map: Plane<Bool>) -> Plane {
        Plane(width: width, height: height, values: zip(values, map.values).map { $1 ? $0 : 0 })
    }

    /// Position and value of the largest pixel, the first of equal ones.
    var maximum: (x: Int, y: Int, value: Double) {
        var best = 0
        for index in values.indices where values[index] > values[best] { best = index }
        return (best % width, best / width, values[best])
    }

    /// Centre of light and sum of the light; nil where the sum is not positive.
    var centroid: (x: Double, y: Double, sum: Double)? {
        var (sum, sumX, sumY) = (0.0, 0.0, 0.0)
        for y in 0..<height {
            for x in 0..<width {
                let value = self[x, y]
                sum += value
                sumX += value * Double(x)
                sumY += value * Double(y)
            }
        }
        return sum > 0 ? (sumX / sum, sumY / sum, sum) : nil
    }

    /// Sums of light times squared distances from a place: Σ I (x − x₀)², Σ I (y − y₀)², Σ I (x − x₀)(y − y₀), Σ I.
    func secondMoments(x0: Double, y0: Double) -> (xx: Double, yy: Double, xy: Double, sum: Double) {
        var (xx, yy, xy, sum) = (0.0, 0.0, 0.0, 0.0)
        for y in 0..<height {
            let dy = Double(y) - y0
            for x in 0..<width {
                let value = self[x, y]
                let dx = Double(x) - x0
                xx += value * dx * dx
                yy += value * dy * dy
                xy += value * dx * dy
                sum += value
            }
        }
        return (xx, yy, xy, sum)
    }
}
