import Foundation

/// The ellipse that has the second moments of a source about a centre (SExtractor's manual, equations 21 and 43).
struct SourceShape {
    /// Minor over major axis.
    let axisRatio: Double
    /// Of the major axis, radians from +x towards +y.
    let orientation: Double
    /// Second moments that are not positive were met.
    let isDoubtful: Bool

    var ellipticity: Double { 1 - axisRatio }
    var elongation: Double { 1 / axisRatio }

    init(_ segment: Plane<Double>, x: Double, y: Double) {
        let moments = segment.secondMoments(x0: x, y0: y)
        var (xx, yy, xy) = (moments.xx / moments.sum, moments.yy / moments.sum, moments.xy / moments.sum)
        isDoubtful = !(xx > 0 && yy > 0)
        // A source thinner than a pixel: the variance of a pixel's width is added until the ellipse has an area.
        let rho = 1.0 / 12
        while abs(xx * yy - xy * xy) < rho * rho {
            xx += xx >= 0 ? rho : -rho
            yy += yy >= 0 ? rho : -rho
        }
        let (half, difference) = ((xx + yy) / 2, ((xx - yy) * (xx - yy) / 4 + xy * xy).squareRoot())
        let (large, small) = (abs(half + difference), abs(half - difference))
        axisRatio = (min(large, small) / max(large, small)).squareRoot()
        orientation = 0.5 * atan2(2 * xy, xx - yy)
    }
}
