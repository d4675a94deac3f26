import Foundation

/// The Sérsic profile I(R) = I_e exp(−b ((R / R_e)^(1/n) − 1)) of total flux 1 (Sérsic 1963; Graham & Driver 2005, PASA 22, 118).
///
/// b is such that half of the flux is inside R_e; it is computed, not taken from one of the usual approximations, so
/// that it holds for every n.
public struct SersicProfile: Sendable, Equatable {
    /// n: 1 is an exponential disc, 4 a de Vaucouleurs spheroid.
    public let index: Double
    /// R_e: the radius that holds half of the flux.
    public let halfLightRadius: Double
    /// b: half of the complete gamma function of 2n lies below it.
    public let b: Double
    /// Flux per area at R = 0.
    private let central: Double

    /// - Parameter index: 0.2 … 10.
    public init(index: Double, halfLightRadius: Double) {
        precondition(
            (0.2...10).contains(index) && halfLightRadius > 0,
            "[SersicProfile] expected an index of 0.2 … 10 and a radius, got \(index) and \(halfLightRadius)")
        self.index = index
        self.halfLightRadius = halfLightRadius
        b = Self.solveB(index)
        central = pow(b, 2 * index) / (2 * .pi * index * halfLightRadius * halfLightRadius * tgamma(2 * index))
    }

    /// Flux per area at radius R, in units of the total flux over the unit of R².
    public func intensity(at radius: Double) -> Double {
        central * exp(-b * pow(radius / halfLightRadius, 1 / index))
    }

    /// The fraction of the flux inside radius R (Graham & Driver 2005, eq. 2).
    public func fluxFraction(within radius: Double) -> Double {
        Self.regularisedGamma(2 * index, b * pow(radius / halfLightRadius, 1 / index))
    }

    /// The radius at which the flux per area falls to a value; 0 where it is fainter everywhere.
    func radius(ofIntensity value: Double) -> Double {
        guard central > value else { return 0 }
        return halfLightRadius * pow(log(central / value) / b, index)
    }

    /// The radius that holds a fraction of the flux.
    public func radius(holding fraction: Double) -> Double {
        var (low, high) = (0.0, halfLightRadius)
        while fluxFraction(within: high) < fraction { high *= 2 }
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if fluxFraction(within: middle) < fraction { low = middle } else { high = middle }
        }
        return high
    }

    /// Newton's method from the series of Ciotti & Bertin (1999, A&A 352, 447, eq. 18), or of MacArthur et al. (2003, ApJ 582,
    /// 689, eq. A2) for small n.
    private static func solveB(_ index: Double) -> Double {
        let n = index
        var b =
            n > 0.36
            ? 2 * n - 1.0 / 3 + 4 / (405 * n) + 46 / (25515 * n * n)
            : 0.01945 - 0.8902 * n + 10.95 * n * n - 19.67 * n * n * n + 13.43 * n * n * n * n
        let complete = tgamma(2 * n)
        for _ in 0..<8 {
            let slope = pow(b, 2 * n - 1) * exp(-b) / complete
            let step = (regularisedGamma(2 * n, b) - 0.5) / slope
            b = max(b / 4, b - step)
            if abs(step) < 1e-13 * b { break }
        }
        return b
    }

    /// P(a, x) = γ(a, x) / Γ(a): its series below a + 1, Lentz's continued fraction for 1 − P above (Numerical Recipes, 6.2).
    static func regularisedGamma(_ a: Double, _ x: Double) -> Double {
        guard x > 0 else { return 0 }
        let front = exp(a * log(x) - x) / tgamma(a)
        if x < a + 1 {
            var (term, sum, n) = (1 / a, 1 / a, a)
            while term > sum * 1e-16 {
                n += 1
                term *= x / n
                sum += term
            }
            return sum * front
        }
        var b = x + 1 - a
        var c = 1e300
        var d = 1 / b
        var h = d
        for i in 1...500 {
            let an = -Double(i) * (Double(i) - a)
            b += 2
            d = 1 / (an * d + b)
            c = b + an / c
            let factor = d * c
            h *= factor
            if abs(factor - 1) < 1e-15 { break }
        }
        return 1 - front * h
    }
}
