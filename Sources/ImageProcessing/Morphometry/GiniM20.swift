import Foundation

/// Gini's coefficient and the second moment of the brightest fifth of the light (Lotz, Primack & Madau 2004, AJ 128, 163).
enum GiniM20 {
    /// The pixels that belong to the source: smoothed with a fifth of the Petrosian radius, brighter than the mean in the ring at
    /// that radius, and connected with the brightest one.
    ///
    /// - Returns: the map; how doubtful it is: 1 for several regions, 2 for an empty or full map.
    static func segment(
        of light: Plane<Double>, x: Double, y: Double, petrosianRadius: Double, shape: SourceShape
    ) -> (map: Plane<Bool>, flag: Int) {
        let smooth = light.smoothed(sigma: 0.2 * petrosianRadius, border: .zero)
        let ring = Aperture(
            x: x, y: y, inner: petrosianRadius - 0.5, outer: petrosianRadius + 0.5, axisRatio: shape.axisRatio,
            angle: shape.orientation)
        let threshold = ring.sum(smooth) / ring.area
        let above = smooth.map { $0 >= threshold }
        let number = above.count
        if number == 0 || number == above.values.count { return (above, 2) }
        let peak = smooth.maximum
        let main = above.region(containing: peak.x, peak.y)
        return (main, main.count < number ? 1 : 0)
    }

    /// G = Σ (2i − n − 1) |I_i| / ((n − 1) Σ |I_i|) over the pixels in the order of their brightness; nil for fewer than two.
    static func gini(_ light: Plane<Double>, in segment: Plane<Bool>) -> Double? {
        let values = zip(light.values, segment.values).filter { $0.1 }.map { abs($0.0) }.sorted()
        let (count, sum) = (values.count, values.reduce(0, +))
        guard count > 1, sum > 0 else { return nil }
        var weighted = 0.0
        for (index, value) in values.enumerated() { weighted += Double(2 * (index + 1) - count - 1) * value }
        return weighted / (Double(count - 1) * sum)
    }

    /// log₁₀ of the second moment of the brightest 20 % of the light over that of all, about the centre of light; nil where
    /// light or moments are not positive.
    static func m20(_ light: Plane<Double>, in segment: Plane<Bool>) -> Double? {
        let image = light.kept(where: segment)
        guard let centre = image.centroid else { return nil }
        func moment(_ plane: Plane<Double>) -> Double {
            let moments = plane.secondMoments(x0: centre.x, y0: centre.y)
            return moments.xx + moments.yy
        }
        var (cumulated, threshold): (Double, Double?) = (0, nil)
        for value in image.values.sorted() {
            cumulated += value
            if cumulated / centre.sum >= 0.8 {
                threshold = value
                break
            }
        }
        guard let threshold else { return nil }
        let (bright, all) = (moment(image.map { $0 >= threshold ? $0 : 0 }), moment(image))
        return bright > 0 && all > 0 ? log10(bright / all) : nil
    }
}
