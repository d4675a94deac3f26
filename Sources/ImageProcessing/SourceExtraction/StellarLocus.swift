import Foundation

/// Which sources are as small as stars, for methods that do not classify: half-light radii of point sources lie on a narrow locus
/// whatever their flux, and galaxies above it.
///
/// The locus is the densest place among the radii of the bright, unsaturated, isolated sources in an image.
public struct StellarLocus: Sendable, Equatable {
    /// Half-light radius of a point source, pixels.
    public let radius: Double

    /// - Parameters:
    ///   - radii: half-light radii of sources, pixels; those that are not finite do not count.
    ///   - significances: flux over its error; sources below 20 do not count.
    /// - Returns: nil with fewer than five sources that count: a locus of less is a guess.
    public init?(radii: [Double], significances: [Double]) {
        let bright = zip(radii, significances).filter { $0.isFinite && $0 > 0.3 && $1 > 20 }.map(\.0).sorted()
        guard bright.count >= 5 else { return nil }
        // Half-sample mode of the logarithms (Robertson & Cryer 1974, JASA 69, 1012).
        var part = bright.map { log($0) }[...]
        while part.count > 3 {
            let half = (part.count + 1) / 2
            let first = (part.startIndex...(part.endIndex - half)).min { left, right in
                part[left + half - 1] - part[left] < part[right + half - 1] - part[right]
            }!
            part = part[first..<(first + half)]
        }
        radius = exp(part.reduce(0, +) / Double(part.count))
    }

    /// 1 on the locus and below, ½ at 1.2 times its radius, 0 for what is clearly larger; nearer to ½ for faint sources, whose
    /// radii are uncertain. NaN without a radius.
    public func starProbability(radius other: Double, significance: Double) -> Double {
        guard other.isFinite, significance > 0 else { return .nan }
        let width = (0.06 * 0.06 + 1 / (significance * significance)).squareRoot()
        return 1 / (1 + exp((log(other / radius) - log(1.2)) / width))
    }
}
