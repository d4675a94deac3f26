public import ImageProcessing
public import Models

/// Makes sources of the network's maps, as Panoptic-DeepLab groups instances (arXiv 1911.10194, section 3.2): peaks of the centre map
/// are sources, and each pixel that is part of a source belongs to the one that its offset points to.
public struct SourceGrouping: Sendable {
    public var thresholds: DetectionThresholds

    public init(_ thresholds: DetectionThresholds) { self.thresholds = thresholds }

    /// A source's centre in the map.
    struct Peak: Sendable, Equatable {
        var x: Int
        var y: Int
        var score: Float
    }

    /// The sources of an image.
    ///
    /// - Parameters:
    ///   - image: that the maps were made of: gives moments and fluxes. Masked pixels belong to no source.
    ///   - keepsArtefacts: also sources whose most probable class is artefact.
    public func segmentation(
        of maps: DetectionMaps, in image: DetectionImage, keepsArtefacts: Bool = false
    ) -> Segmentation {
        let peaks = peaks(of: maps)
        var map = connected(trimmed(assigned(maps, peaks), maps, peaks.count), peaks, width: maps.width)
        let found = SegmentMoments.sources(of: map, count: peaks.count, in: image)
        let classes = classProbabilities(map, peaks.count, maps)
        let neighbours = touching(map, peaks.count, width: maps.width)
        var numbers = [Int32](repeating: 0, count: peaks.count + 1)
        var sources: [DetectedSource] = []
        for (index, peak) in peaks.enumerated() {
            guard var source = found[index], source.area >= thresholds.minimumArea else { continue }
            source.probability = Double(peak.score)
            source.classProbabilities = classes[index]
            if neighbours[index] { source.flags |= 1 }
            if !keepsArtefacts && source.mostProbableClass == .artefact { continue }
            sources.append(source)
            numbers[index + 1] = Int32(sources.count)
        }
        for i in map.indices { map[i] = numbers[Int(map[i])] }
        return Segmentation(sources: sources, map: map, width: maps.width, height: maps.height)
    }

    // MARK: - Peaks

    /// Local maxima of the centre map above the threshold, the surest first, without those whose own offset says that they
    /// belong to a surer one.
    func peaks(of maps: DetectionMaps) -> [Peak] {
        let (width, height) = (maps.width, maps.height)
        var candidates: [Peak] = []
        for y in 0..<height {
            for x in 0..<width {
                let value = maps.centre[y * width + x]
                guard value >= thresholds.centre else { continue }
                var isPeak = true
                search: for v in max(0, y - 1)...min(height - 1, y + 1) {
                    for u in max(0, x - 1)...min(width - 1, x + 1) where u != x || v != y {
                        let other = maps.centre[v * width + u]
                        // Of equal neighbours the first one is the peak.
                        if other > value || other == value && (v, u) < (y, x) {
                            isPeak = false
                            break search
                        }
                    }
                }
                if isPeak { candidates.append(Peak(x: x, y: y, score: value)) }
            }
        }
        candidates.sort { ($0.score, $1.y, $1.x) > ($1.score, $0.y, $0.x) }
        var kept = PeakGrid(width: width, height: height)
        for peak in candidates {
            let i = peak.y * width + peak.x
            let (dx, dy) = (maps.offsetX[i], maps.offsetY[i])
            let distance = (dx * dx + dy * dy).squareRoot()
            let (x, y) = (Float(peak.x) + dx, Float(peak.y) + dy)
            if kept.nearest(x: Float(peak.x), y: Float(peak.y), within: 1.9) != nil { continue }
            if distance > 2, kept.nearest(x: x, y: y, within: 0.5 * distance) != nil { continue }
            kept.insert(peak)
        }
        return kept.peaks
    }

    // MARK: - Pixels

    /// For each pixel that may be part of a source the number of its peak from 1, else 0.
    private func assigned(_ maps: DetectionMaps, _ peaks: [Peak]) -> [Int32] {
        var grid = PeakGrid(width: maps.width, height: maps.height)
        for peak in peaks { grid.insert(peak) }
        // Sources that are nowhere sure keep pixels down to a share of their maximum.
        let lowest = 0.3 * thresholds.pixel
        var map = [Int32](repeating: 0, count: maps.source.count)
        for i in map.indices where maps.source[i] > lowest {
            let (dx, dy) = (maps.offsetX[i], maps.offsetY[i])
            let reach = 3 + 0.5 * (dx * dx + dy * dy).squareRoot()
            let (x, y) = (Float(i % maps.width) + dx, Float(i / maps.width) + dy)
            if let index = grid.nearest(x: x, y: y, within: reach) { map[i] = Int32(index + 1) }
        }
        return map
    }

    private func trimmed(_ map: [Int32], _ maps: DetectionMaps, _ count: Int) -> [Int32] {
        var highest = [Float](repeating: 0, count: count + 1)
        for i in map.indices { highest[Int(map[i])] = max(highest[Int(map[i])], maps.source[i]) }
        return map.indices.map { maps.source[$0] >= thresholds.pixel * highest[Int(map[$0])] ? map[$0] : 0 }
    }

    /// Keeps of each source the pixels that hang together with its peak.
    private func connected(_ map: [Int32], _ peaks: [Peak], width: Int) -> [Int32] {
        var result = [Int32](repeating: 0, count: map.count)
        let height = map.count / width
        var stack: [Int] = []
        for (index, peak) in peaks.enumerated() {
            let number = Int32(index + 1)
            for y in max(0, peak.y - 1)...min(height - 1, peak.y + 1) {
                for x in max(0, peak.x - 1)...min(width - 1, peak.x + 1) where map[y * width + x] == number {
                    stack.append(y * width + x)
                    result[y * width + x] = number
                }
            }
            while let pixel = stack.popLast() {
                let (x, y) = (pixel % width, pixel / width)
                for v in max(0, y - 1)...min(height - 1, y + 1) {
                    for u in max(0, x - 1)...min(width - 1, x + 1) {
                        let next = v * width + u
                        if map[next] == number && result[next] == 0 {
                            result[next] = number
                            stack.append(next)
                        }
                    }
                }
            }
        }
        return result
    }

    // MARK: - Properties

    private func classProbabilities(
        _ map: [Int32], _ count: Int, _ maps: DetectionMaps
    ) -> [[DetectedSource.Class: Double]] {
        var sums = [SIMD4<Double>](repeating: .zero, count: count)
        for i in map.indices where map[i] > 0 {
            let weight = Double(maps.source[i])
            sums[Int(map[i]) - 1] +=
                weight * SIMD4(Double(maps.star[i]), Double(maps.galaxy[i]), Double(maps.artefact[i]), 1)
        }
        return sums.map { sum in
            guard sum.w > 0 else { return [:] }
            return [.star: sum.x / sum.w, .galaxy: sum.y / sum.w, .artefact: sum.z / sum.w]
        }
    }

    /// Which sources touch another one: they were deblended.
    private func touching(_ map: [Int32], _ count: Int, width: Int) -> [Bool] {
        var result = [Bool](repeating: false, count: count)
        for i in map.indices where map[i] > 0 {
            for next in [i + 1, i + width] where next < map.count && map[next] > 0 && map[next] != map[i] {
                if next == i + 1 && next % width == 0 { continue }
                result[Int(map[i]) - 1] = true
                result[Int(map[next]) - 1] = true
            }
        }
        return result
    }
}
