import Foundation

/// Where a source stands out of the sky by one standard deviation (Pawlik et al. 2016, MNRAS 456, 3032, section 3.1), with the
/// sky measured outside of two Petrosian radii, as statmorph does.
enum DetectionSegment {
    /// - Returns: the map, and whether no sky was found or the brightest pixel is below the threshold.
    static func find(
        _ stamp: SourceStamp, x: Double, y: Double, petrosianRadius: Double, skyBox: SkyBox?
    ) -> (map: Plane<Bool>, isBad: Bool) {
        let (inner, outer) = (2 * petrosianRadius, 4 * petrosianRadius)
        var sky: [Double] = []
        for row in 0..<stamp.height {
            for column in 0..<stamp.width where !stamp.masked[column, row] {
                let distance = hypot(Double(column) - x, Double(row) - y)
                if distance >= inner && distance < outer { sky.append(stamp.light[column, row]) }
            }
        }
        if sky.count < 32 * 32 {
            guard let skyBox else { return (stamp.maskedOutside.map { !$0 }, true) }
            sky = skyBox.light.values
        }
        let threshold = threshold(sky)
        let smooth = stamp.light.boxFiltered(size: 3)
        var above = smooth.map { $0 >= threshold }
        let peak = smooth.maximum
        let isBad = !above[peak.x, peak.y]
        above[peak.x, peak.y] = true
        return (above.region(containing: peak.x, peak.y), isBad)
    }

    /// Mode (2.5 median − 1.5 mean, Bertin & Arnouts 1996) plus standard deviation, after clipping at three of these.
    private static func threshold(_ values: [Double]) -> Double {
        var sorted = values.sorted()[...]
        func mode(_ part: ArraySlice<Double>) -> Double { 2.5 * median(part) - 1.5 * mean(part) }
        while true {
            // The centre of the clipping is the mode of what is left after a clipping of its own about the median.
            var inner = sorted
            for _ in 0..<10 {
                let kept = clipped(inner, about: median(inner))
                if kept.count == inner.count { break }
                inner = kept
            }
            let kept = clipped(sorted, about: mode(inner))
            if kept.count == sorted.count || kept.isEmpty { break }
            sorted = kept
        }
        return mode(sorted) + deviation(sorted)
    }

    private static func clipped(_ sorted: ArraySlice<Double>, about centre: Double) -> ArraySlice<Double> {
        let limit = 3 * deviation(sorted)
        return sorted.drop { $0 < centre - limit }.prefix { $0 <= centre + limit }
    }

    private static func mean(_ part: ArraySlice<Double>) -> Double { part.reduce(0, +) / Double(part.count) }

    private static func deviation(_ part: ArraySlice<Double>) -> Double {
        let mean = mean(part)
        return (part.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(part.count)).squareRoot()
    }

    private static func median(_ sorted: ArraySlice<Double>) -> Double {
        let (first, count) = (sorted.startIndex, sorted.count)
        return (sorted[first + (count - 1) / 2] + sorted[first + count / 2]) / 2
    }
}
