import Foundation

/// How much an image differs from itself turned by 180° about a point (Conselice 2003, ApJS 147, 1; Lotz et al. 2004, eq. 10):
/// A = (Σ |I₁₈₀ − I| − area · A_sky) / Σ |I|.
struct Asymmetry {
    let light: Plane<Double>
    let masked: Plane<Bool>
    /// Mean |I₁₈₀ − I| of a pixel of the sky; 0 where it is not known or does not apply.
    let skyAsymmetry: Double

    /// - Parameters:
    ///   - turning: the point to turn about.
    ///   - aperture: its light counts, except what is masked or lies opposite to something masked.
    /// - Returns: nil outside of the image, and where there is no light.
    func callAsFunction(turningAbout x: Double, _ y: Double, in aperture: Aperture) -> Double? {
        sums(x, y, aperture).flatMap { sums in
            sums.light == 0 ? nil : (sums.difference - sums.area * skyAsymmetry) / sums.light
        }
    }

    /// A² of root-mean-square asymmetry (Sazonova et al. 2024, eq. 27), with the sky's variance subtracted.
    func squared(turningAbout x: Double, _ y: Double, in aperture: Aperture, skySigma: Double) -> Double? {
        sums(x, y, aperture).flatMap { sums in
            let variance = skySigma * skySigma
            let light = sums.squaredLight - sums.area * variance
            return light == 0 ? nil : (sums.squaredDifference - 2 * sums.area * variance) / light
        }
    }

    private struct Sums {
        var light = 0.0
        var difference = 0.0
        var area = 0.0
        var squaredLight = 0.0
        var squaredDifference = 0.0
    }

    private func sums(_ x: Double, _ y: Double, _ aperture: Aperture) -> Sums? {
        let (width, height) = (light.width, light.height)
        guard x >= 0, y >= 0, x < Double(width), y < Double(height) else { return nil }
        var sums = Sums()
        // The place opposite to pixel (i, j) is (2x − i, 2y − j): between four pixels, at the same fractions for all.
        let (wholeX, wholeY) = ((2 * x).rounded(.down), (2 * y).rounded(.down))
        let (fx, fy) = (2 * x - wholeX, 2 * y - wholeY)
        let (baseX, baseY) = (Int(wholeX), Int(wholeY))
        let (nearX, nearY) = (fx >= 0.5 ? 1 : 0, fy >= 0.5 ? 1 : 0)
        light.values.withUnsafeBufferPointer { light in
            masked.values.withUnsafeBufferPointer { masked in
                func value(_ i: Int, _ j: Int) -> Double {
                    i >= 0 && j >= 0 && i < width && j < height ? light[j * width + i] : 0
                }
                aperture.forEachPixel(width: width, height: height) { index, share in
                    guard !masked[index] else { return }
                    let (column, row) = (index % width, index / width)
                    let (i, j) = (baseX - column, baseY - row)
                    let (ni, nj) = (i + nearX, j + nearY)
                    if ni >= 0, nj >= 0, ni < width, nj < height, masked[nj * width + ni] { return }
                    let turned: Double
                    if i >= 0, j >= 0, i + 1 < width, j + 1 < height {
                        let at = j * width + i
                        turned =
                            (1 - fy) * ((1 - fx) * light[at] + fx * light[at + 1])
                            + fy * ((1 - fx) * light[at + width] + fx * light[at + width + 1])
                    } else {
                        turned =
                            (1 - fy) * ((1 - fx) * value(i, j) + fx * value(i + 1, j))
                            + fy * ((1 - fx) * value(i, j + 1) + fx * value(i + 1, j + 1))
                    }
                    let own = light[index]
                    let difference = turned - own
                    sums.light += share * abs(own)
                    sums.difference += share * abs(difference)
                    sums.area += share
                    sums.squaredLight += share * own * own
                    sums.squaredDifference += share * difference * difference
                }
            }
        }
        return sums
    }
}
