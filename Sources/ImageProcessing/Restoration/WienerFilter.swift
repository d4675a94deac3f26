import Foundation

/// Linear filters that change the PSF of an image from one to another without amplifying noise without limit.
///
/// For the transforms P and T of the PSF of the image and of the wanted one, the filter is
/// (1 + λ) T P* / (|P|² + λ), Wiener's (1949) for white noise and a white source of 1/λ times its power. The factor makes the
/// response at frequency 0 exactly 1, so that flux is conserved. It is a finite kernel, tapered at its edge, so that an image
/// filtered in tiles equals the image filtered as a whole.
public struct WienerFilter: Sendable {
    /// Pixels from the centre to the edge of the kernels.
    public static let radius = 24
    private static let transform = FourierTransform(side: 128)

    public let kernels: [PlaneFilter.Kernel]
    /// Full widths at half maximum in pixels.
    let imageFWHM: Float
    let wantedFWHM: Float

    /// - Parameter regularisations: λ, one for each kernel.
    public init(from psf: PSFKernel, to target: PSFKernel, regularisations: [Float]) {
        (imageFWHM, wantedFWHM) = (Float(psf.fwhm), Float(target.fwhm))
        let (p, t) = (Self.spectrum(psf), Self.spectrum(target))
        kernels = regularisations.map { lambda in
            var filter = p
            for i in p.real.indices {
                let power = p.real[i] * p.real[i] + p.imaginary[i] * p.imaginary[i]
                let scale = (1 + lambda) / (power + lambda)
                filter.real[i] = scale * (t.real[i] * p.real[i] + t.imaginary[i] * p.imaginary[i])
                filter.imaginary[i] = scale * (t.imaginary[i] * p.real[i] - t.real[i] * p.imaginary[i])
            }
            return Self.finite(Self.transform.inverse(filter).real)
        }
    }

    private static func spectrum(_ psf: PSFKernel) -> FourierTransform.Plane {
        let side = transform.side
        var plane = [Float](repeating: 0, count: side * side)
        for y in 0..<psf.side {
            for x in 0..<psf.side {
                let (row, column) = ((y - psf.radius + side) % side, (x - psf.radius + side) % side)
                plane[row * side + column] = psf.values[y * psf.side + x]
            }
        }
        return transform.forward(.init(real: plane))
    }

    /// Cut at the radius with a cosine edge over its outer third, sum 1.
    private static func finite(_ plane: [Float]) -> PlaneFilter.Kernel {
        let side = transform.side
        var values: [Float] = []
        let edge = Double(radius) * 2 / 3
        for y in -radius...radius {
            for x in -radius...radius {
                let r = Double(x * x + y * y).squareRoot()
                let share = min(max((r - edge) / (Double(radius) - edge), 0), 1)
                let taper = Float(0.5 * (1 + cos(.pi * share)))
                values.append(taper * plane[((y + side) % side) * side + (x + side) % side])
            }
        }
        let sum = values.reduce(0.0) { $0 + Double($1) }
        return PlaneFilter.Kernel(radius: radius, values: values.map { Float(Double($0) / sum) })
    }
}
