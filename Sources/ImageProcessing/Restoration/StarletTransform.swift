/// The isotropic undecimated wavelet transform with the B₃ spline, "à trous" (Starck and Murtagh 2006, Astronomical Image and Data
/// Analysis, § 2.4.3): a plane is the sum of its detail at scales of 1, 2, 4 … pixels and of a smooth rest.
///
/// Outside the plane its edge pixels are mirrored.
package enum StarletTransform {
    /// Scales that are taken apart; an answer depends on no pixel farther away than ``reach``.
    package static let scales = 5
    static var reach: Int { 2 * ((1 << scales) - 1) }

    /// The plane smoothed by the B₃ spline (1, 4, 6, 4, 1) / 16 with its taps 2^`scale` pixels apart, along rows and columns.
    package static func smoothed(_ plane: [Float], width: Int, height: Int, scale: Int) -> [Float] {
        let step = 1 << scale
        let weights: (Float, Float, Float) = (6 / 16, 4 / 16, 1 / 16)
        var rows = plane
        let places = (-2 * step..<width + 2 * step).map { PlaneFilter.mirrored($0, width) }
        var padded = [Float](repeating: 0, count: width + 4 * step)
        plane.withUnsafeBufferPointer { plane in
            rows.withUnsafeMutableBufferPointer { rows in
                padded.withUnsafeMutableBufferPointer { padded in
                    for y in 0..<height {
                        for x in padded.indices { padded[x] = plane[y * width + places[x]] }
                        for x in 0..<width {
                            rows[y * width + x] =
                                weights.0 * padded[x + 2 * step] + weights.1 * (padded[x + step] + padded[x + 3 * step])
                                + weights.2 * (padded[x] + padded[x + 4 * step])
                        }
                    }
                }
            }
        }
        var result = rows
        rows.withUnsafeBufferPointer { rows in
            result.withUnsafeMutableBufferPointer { result in
                for y in 0..<height {
                    let from = [-2, -1, 0, 1, 2].map { PlaneFilter.mirrored(y + $0 * step, height) * width }
                    let (a, b, c, d, e) = (from[0], from[1], from[2], from[3], from[4])
                    for x in 0..<width {
                        result[y * width + x] =
                            weights.0 * rows[c + x] + weights.1 * (rows[b + x] + rows[d + x])
                            + weights.2 * (rows[a + x] + rows[e + x])
                    }
                }
            }
        }
        return result
    }

    /// The detail of each scale, finest first, and the smooth rest: their sum is the plane.
    package static func details(_ plane: [Float], width: Int, height: Int) -> (details: [[Float]], rest: [Float]) {
        var (details, rest) = ([[Float]](), plane)
        for scale in 0..<scales {
            let smooth = smoothed(rest, width: width, height: height, scale: scale)
            details.append(zip(rest, smooth).map { $0 - $1 })
            rest = smooth
        }
        return (details, rest)
    }
}
