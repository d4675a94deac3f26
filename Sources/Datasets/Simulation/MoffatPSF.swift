import Foundation

/// The Moffat point-spread function (1 + (r/α)²)^−β of total flux 1 (Moffat 1969, A&A 3, 455).
public struct MoffatPSF: Sendable, Equatable {
    /// Full width at half maximum.
    public let fwhm: Double
    public let beta: Double
    private let inverseAlphaSquared: Double

    public init(fwhm: Double, beta: Double = 3) {
        precondition(fwhm > 0 && beta > 1, "[MoffatPSF] expected a width and β > 1, got \(fwhm) and \(beta)")
        self.fwhm = fwhm
        self.beta = beta
        inverseAlphaSquared = 4 * (pow(2, 1 / beta) - 1) / (fwhm * fwhm)
    }

    /// Flux per area at squared radius r².
    package func intensity(squaredRadius: Double) -> Double {
        (beta - 1) / .pi * inverseAlphaSquared * pow(1 + squaredRadius * inverseAlphaSquared, -beta)
    }

    /// The fraction of the flux inside a radius.
    public func fluxFraction(within radius: Double) -> Double {
        1 - pow(1 + radius * radius * inverseAlphaSquared, 1 - beta)
    }
}
