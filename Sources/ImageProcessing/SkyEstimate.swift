/// Level and noise of the sky: median and standard deviation after clipping what lies outside 3 σ, iterated.
public struct SkyEstimate: Sendable, Equatable {
    public var level: Float
    public var noise: Float

    /// - Parameters:
    ///   - values: pixels; those that are not finite do not count.
    ///   - maximalSamples: larger inputs are sampled evenly, which is enough for a median.
    /// - Returns: nil without a finite pixel.
    public init?(_ values: some RandomAccessCollection<Float>, maximalSamples: Int = 20_000) {
        let step = max(1, values.count / maximalSamples)
        var sample: [Float] = []
        sample.reserveCapacity(values.count / step + 1)
        var index = values.startIndex
        var offset = 0
        while offset < values.count {
            let value = values[index]
            if value.isFinite { sample.append(value) }
            offset += step
            if offset < values.count { index = values.index(index, offsetBy: step) }
        }
        guard !sample.isEmpty else { return nil }
        sample.sort()
        // The samples are sorted, so that clipping is moving the two ends inwards.
        var (low, high) = (0, sample.count)
        var deviation: Float = 0
        for _ in 0..<10 {
            let median = Self.median(sample[low..<high])
            let count = Double(high - low)
            let mean = sample[low..<high].reduce(0.0) { $0 + Double($1) } / count
            let squares = sample[low..<high].reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
            deviation = Float((squares / count).squareRoot())
            let begin = sample[low..<high].partitioningIndex { $0 >= median - 3 * deviation }
            let end = sample[low..<high].partitioningIndex { $0 > median + 3 * deviation }
            if (begin == low && end == high) || end - begin < 8 { break }
            (low, high) = (begin, end)
        }
        level = Self.median(sample[low..<high])
        noise = deviation
    }

    private static func median(_ sorted: ArraySlice<Float>) -> Float {
        let middle = sorted.startIndex + sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

extension ArraySlice<Float> {
    /// The first index for which the predicate holds, in a slice where it holds from some place on.
    fileprivate func partitioningIndex(where predicate: (Float) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
