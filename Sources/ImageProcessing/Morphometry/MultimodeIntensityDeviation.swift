import Foundation

/// The statistics M, I and D of Freeman et al. (2013, MNRAS 434, 282) as Peth et al. (2016, MNRAS 458, 963) use them.
struct MultimodeIntensityDeviation {
    /// The pixels that are measured.
    let segment: Plane<Bool>
    /// The map does not hold the brightest pixel, or the light is not positive.
    private(set) var isBad = false
    private let image: Plane<Double>
    private let sortedValues: [Double]

    /// - Parameters:
    ///   - fallback: the map to use where none is defined: where the light added never falls to 0.2 of the mean within the segment.
    init(_ stamp: SourceStamp, fallback: Plane<Bool>, eta: Double = 0.2) {
        let positive = stamp.segment.map { max($0, 0) }
        let members = zip(positive.values, stamp.maskedOutside.values).filter { !$0.1 }.map { $0.0 }.sorted()
        let peak = stamp.segment.maximum
        func clump(_ quantile: Double) -> Plane<Bool> {
            let threshold = Self.quantile(members, quantile)
            return positive.map { $0 >= threshold }.region(containing: peak.x, peak.y)
        }
        var isBad = false
        func excess(_ quantile: Double) -> Double {
            let map = clump(quantile)
            let sum = zip(positive.values, map.values).reduce(0) { $0 + ($1.1 ? $1.0 : 0) }
            guard sum > 0 else {
                isBad = true
                return 1 - eta
            }
            return Self.quantile(members, quantile) / (sum / Double(map.count)) - eta
        }
        if members.isEmpty || excess(0) > 0 {
            segment = fallback
        } else {
            let quantile = Minimization.root(
                between: 0, and: 1, tolerance: 1 / Double(members.count), excess)
            var map = clump(quantile).map { $0 ? 1.0 : 0 }.boxFiltered(size: 3).map { $0 > 0.5 }
            if !map[peak.x, peak.y] {
                map[peak.x, peak.y] = true
                isBad = true
            }
            segment = map.region(containing: peak.x, peak.y)
        }
        image = positive.kept(where: segment)
        sortedValues = zip(image.values, stamp.maskedOutside.values).filter { !$0.1 }.map { $0.0 }.sorted()
        self.isBad = isBad
    }

    private static func quantile(_ sorted: [Double], _ q: Double) -> Double {
        sorted[Int(q * Double(sorted.count - 1))]
    }

    /// A₂ / A₁, the areas of the two largest regions above the brightness at which A₂² / A₁ is largest; 0 where there is only
    /// one region at every brightness.
    ///
    /// Quantiles of the brightness are searched in steps of 0.02 (smaller ones where nothing is found), then forty times finer
    /// around the best.
    func multimode() -> Double {
        guard !sortedValues.isEmpty else { return 0 }
        func areas(_ quantile: Double) -> (first: Int, second: Int) {
            let threshold = Self.quantile(sortedValues, quantile)
            let (labels, count) = image.map { $0 >= threshold }.regions()
            var areas = [Int](repeating: 0, count: count + 1)
            for label in labels.values where label > 0 { areas[Int(label)] += 1 }
            areas.sort(by: >)
            return (areas[0], areas.count > 1 ? areas[1] : 0)
        }
        var best: (merit: Double, quantile: Double, ratio: Double) = (0, 0, 0)
        func consider(_ quantile: Double) {
            guard (0...1).contains(quantile) else { return }
            let (first, second) = areas(quantile)
            guard second > 0 else { return }
            let merit = Double(second * second) / Double(first)
            if merit > best.merit { best = (merit, quantile, Double(second) / Double(first)) }
        }
        var step = 0.02
        repeat {
            for index in 0..<Int(1 / step) { consider(Double(index) * step) }
            if best.merit > 0 { break }
            step /= 2
        } while step >= 0.005
        guard best.merit > 0 else { return 0 }
        let centre = best.quantile
        for index in -20...20 { consider(centre + Double(index) * step / 20) }
        return best.ratio
    }

    /// The light of the second brightest region around a local maximum over that of the brightest, and the distance of the
    /// brightest maximum from the centre of light in units of the radius √(area / π).
    ///
    /// - Returns: a deviation of nil where there is no maximum or no light.
    func intensityAndDeviation() -> (intensity: Double, deviation: Double?) {
        let smooth = image.smoothed(sigma: 1, border: .reflected)
        let basins = Watershed.basins(of: smooth)
        let ordered = basins.sorted { $0.flux > $1.flux }
        guard let brightest = ordered.first, let centre = image.centroid else { return (0, nil) }
        let area = Double(segment.count)
        let distance = hypot(Double(brightest.x) - centre.x, Double(brightest.y) - centre.y)
        return (ordered.count > 1 ? ordered[1].flux / brightest.flux : 0, (Double.pi / area).squareRoot() * distance)
    }
}

/// Regions of an image around its local maxima.
private enum Watershed {
    struct Basin {
        var x: Int
        var y: Int
        var flux: Double
    }

    /// Every positive pixel belongs to the maximum from which it is flooded first when the image is filled from the top.
    /// Maxima on the border do not count.
    static func basins(of image: Plane<Double>) -> [Basin] {
        let (width, height) = (image.width, image.height)
        var label = [Int](repeating: -1, count: image.values.count)
        var basins: [Basin] = []
        let lowest = image.values.min() ?? 0
        guard width > 2, height > 2 else { return [] }
        for y in 1..<(height - 1) {
            for x in 1..<(width - 1) {
                let value = image[x, y]
                guard value > lowest else { continue }
                var isMaximum = true
                for v in (y - 1)...(y + 1) {
                    for u in (x - 1)...(x + 1) where image[u, v] > value { isMaximum = false }
                }
                if isMaximum {
                    label[y * width + x] = basins.count
                    basins.append(Basin(x: x, y: y, flux: 0))
                }
            }
        }
        // From bright to faint each pixel takes the region of its brightest neighbour that has one.
        let order = image.values.indices.filter { image.values[$0] > 0 }.sorted { image.values[$0] > image.values[$1] }
        for index in order {
            if label[index] < 0 {
                let (x, y) = (index % width, index / width)
                var best = -Double.infinity
                for v in max(0, y - 1)...min(height - 1, y + 1) {
                    for u in max(0, x - 1)...min(width - 1, x + 1) {
                        let next = v * width + u
                        if label[next] >= 0 && image.values[next] > best {
                            best = image.values[next]
                            label[index] = label[next]
                        }
                    }
                }
            }
            if label[index] >= 0 { basins[label[index]].flux += image.values[index] }
        }
        return basins
    }
}
