/// Standard deviation of noise in each scale of a starlet transform, for noise of standard deviation 1 in a pixel.
///
/// Noise may be correlated as that of an image that was resampled by linear interpolation: each pixel holds the share a of its
/// neighbour along both axes. The share follows from the image itself: correlated noise has less power at the finest scale.
package struct StarletNoise {
    /// One for each scale, finest first.
    package let deviations: [Float]
    /// Of the filtered pixels themselves.
    package let total: Float

    /// - Parameters:
    ///   - kernel: what the noise has been filtered with; nil for the noise of an image.
    ///   - correlation: share of the neighbour, 0 … 0.5.
    package init(filteredBy kernel: PlaneFilter.Kernel?, correlation: Float) {
        let radius = (kernel?.radius ?? 0) + StarletTransform.reach + 2
        let (side, inner) = (2 * radius + 1, kernel?.radius ?? 0)
        var plane = [Float](repeating: 0, count: side * side)
        let values = kernel?.values ?? [1]
        let power = 1 - 2 * correlation * (1 - correlation)
        for y in -inner...inner {
            for x in -inner...inner {
                let value = values[(y + inner) * (2 * inner + 1) + x + inner] / power
                let to = (y + radius) * side + x + radius
                plane[to] += value * (1 - correlation) * (1 - correlation)
                plane[to + 1] += value * correlation * (1 - correlation)
                plane[to + side] += value * correlation * (1 - correlation)
                plane[to + side + 1] += value * correlation * correlation
            }
        }
        func norm(_ plane: [Float]) -> Float { Float(plane.reduce(0.0) { $0 + Double($1 * $1) }.squareRoot()) }
        total = norm(plane)
        deviations = StarletTransform.details(plane, width: side, height: side).details.map(norm)
    }

    private static let tabulated = stride(from: Float(0), through: 0.5, by: 0.1).map {
        (share: $0, finest: StarletNoise(filteredBy: nil, correlation: $0).deviations[0])
    }

    /// The share of the neighbour that explains the median detail of an image at the finest scale.
    ///
    /// - Parameters:
    ///   - noise: standard deviation of each pixel.
    ///   - valid: which pixels count.
    package static func correlation(of plane: [Float], noise: [Float], valid: [Bool], width: Int, height: Int) -> Float {
        let smooth = StarletTransform.smoothed(plane, width: width, height: height, scale: 0)
        // Enough pixels for a percent; an odd stride meets every column.
        let step = max(1, plane.count / 50_000) | 1
        let values = stride(from: 0, to: plane.count, by: step).filter { valid[$0] }
            .map { abs(plane[$0] - smooth[$0]) / noise[$0] }.sorted()
        guard !values.isEmpty else { return 0 }
        let finest = values[values.count / 2] / 0.6745
        for (a, b) in zip(tabulated, tabulated.dropFirst()) where finest > b.finest {
            return a.share + (b.share - a.share) * min(max((a.finest - finest) / (a.finest - b.finest), 0), 1)
        }
        return tabulated.last!.share
    }
}
