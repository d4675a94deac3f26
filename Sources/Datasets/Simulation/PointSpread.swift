import Foundation

/// A round point-spread function of total flux 1: a Gaussian, or Moffat's (1 + (r/α)²)^−β (Moffat 1969, A&A 3, 455).
public struct PointSpread: Sendable, Equatable {
    public enum Shape: Sendable, Equatable, Codable {
        case gaussian
        case moffat(beta: Double)
    }

    public let shape: Shape
    /// Full width at half maximum, arcsec.
    public let fwhm: Double

    /// - Parameter shape: β must be above 1.
    public init(_ shape: Shape = .moffat(beta: 3), fwhm: Double) {
        precondition(fwhm > 0, "[PointSpread] expected a width, got \(fwhm)")
        if case .moffat(let beta) = shape {
            precondition(beta > 1, "[PointSpread] expected β > 1, got \(beta)")
        }
        self.shape = shape
        self.fwhm = fwhm
    }

    /// The length that radii and frequencies are measured in: σ of a Gaussian, α of a Moffat function.
    var scale: Double {
        switch shape {
        case .gaussian: fwhm / (8 * log(2)).squareRoot()
        case .moffat(let beta): fwhm / 2 / (pow(2, 1 / beta) - 1).squareRoot()
        }
    }

    /// Flux per area at squared radius r².
    func intensity(squaredRadius: Double) -> Double {
        let x = squaredRadius / (scale * scale)
        switch shape {
        case .gaussian: return exp(-x / 2) / (2 * .pi * scale * scale)
        case .moffat(let beta): return (beta - 1) / (.pi * scale * scale) * pow(1 + x, -beta)
        }
    }

    /// The fraction of the flux inside a radius.
    public func fluxFraction(within radius: Double) -> Double {
        let x = radius * radius / (scale * scale)
        switch shape {
        case .gaussian: return 1 - exp(-x / 2)
        case .moffat(let beta): return 1 - pow(1 + x, 1 - beta)
        }
    }

    /// The radius at which the flux per area falls to a value; 0 where it is fainter everywhere.
    func radius(ofIntensity value: Double) -> Double {
        let ratio = intensity(squaredRadius: 0) / value
        guard ratio > 1 else { return 0 }
        switch shape {
        case .gaussian: return scale * (2 * log(ratio)).squareRoot()
        case .moffat(let beta): return scale * (pow(ratio, 1 / beta) - 1).squareRoot()
        }
    }
}

/// The Fourier transform of a shape of point-spread function of unit scale, as a table.
///
/// A Moffat function's is 2 (q/2)^ν K_ν(q) / Γ(ν) with ν = β − 1, K_ν being the modified Bessel function of the second
/// kind, by the trapezoidal rule for ∫ exp(−q cosh t) cosh(ν t) dt, which converges exponentially.
struct PointSpreadTransform: Sendable {
    let shape: PointSpread.Shape
    private let values: [Float]
    private static let stepsPerUnit: Float = 64
    private static let last: Float = 30

    init(_ shape: PointSpread.Shape) {
        self.shape = shape
        let count = Int(Self.last * Self.stepsPerUnit) + 2
        values = (0..<count).map { Float(Self.value(Double($0) / Double(Self.stepsPerUnit), shape)) }
    }

    /// At angular frequency q in units of 1 / scale.
    func callAsFunction(_ q: Float) -> Float {
        guard q < Self.last else { return 0 }
        let position = q * Self.stepsPerUnit
        let index = Int(position)
        return values[index] + (values[index + 1] - values[index]) * (position - Float(index))
    }

    static func value(_ q: Double, _ shape: PointSpread.Shape) -> Double {
        guard q > 0 else { return 1 }
        switch shape {
        case .gaussian: return exp(-q * q / 2)
        case .moffat(let beta):
            let nu = beta - 1
            var (t, sum) = (0.1, exp(-q) / 2)
            while q * cosh(t) - nu * t < 740 {
                sum += exp(-q * cosh(t)) * cosh(nu * t)
                t += 0.1
            }
            return 2 / tgamma(nu) * pow(q / 2, nu) * sum * 0.1
        }
    }

    /// The transform of a function on a grid, with the light of each cell spread over the cell.
    ///
    /// - Parameter cell: side of a cell in units of the function's width.
    func kernel(_ psf: PointSpread, side: Int, cell: Double) -> PlanarConvolution.Kernel {
        precondition(psf.shape == shape, "[kernel] expected a function of shape \(shape), got \(psf.shape)")
        let half = side / 2
        let frequency = Float(2 * Double.pi / Double(side) * psf.scale / cell)
        let box = (0...half).map { j in
            let x = Double.pi * Double(j) / Double(side)
            return j == 0 ? 1 : Float(sin(x) / x)
        }
        var values = [Float](repeating: 0, count: (half + 1) * (half + 1))
        for y in 0...half {
            for x in 0...y {
                let value = self(frequency * Float(x * x + y * y).squareRoot()) * box[x] * box[y]
                values[y * (half + 1) + x] = value
                values[x * (half + 1) + y] = value
            }
        }
        return PlanarConvolution.Kernel(values: values)
    }
}
