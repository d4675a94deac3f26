import Foundation
import Tensors

/// Draws the sources of a field: where, which kind, how bright and how large.
///
/// Galaxy counts rise as 10^(0.6 r) to r = 20 and as 10^(0.36 r) beyond, stars as 10^(0.15 r), as deep surveys count them at
/// high galactic latitude; half-light radii shrink as 10^(−0.11 r), 0.55″ at r = 23, with a scatter of 0.2 dex.
struct SourcePopulation {
    let settings: FieldSettings

    struct Source {
        var x: Double
        var y: Double
        var model: GalaxyModel
    }

    /// - Parameter margin: pixels around the field in which sources stand, too, because their light reaches in.
    func sources(margin: Double, random: inout RandomNumbers) -> [Source] {
        let side = Double(settings.size) + 2 * margin
        let area = pow(side * settings.pixelScale / 60, 2)
        let factor = logUniform(settings.densityFactor, &random)
        let expected = settings.galaxyDensity * factor * area
        var sources: [Source] = []
        func place(_ random: inout RandomNumbers) -> (Double, Double) {
            (random.between(-margin - 0.5, side - margin - 0.5), random.between(-margin - 0.5, side - margin - 0.5))
        }
        let range = settings.magnitudes
        for _ in 0..<random.poisson(mean: settings.starDensity * factor * area * 1.2) {
            let magnitude = starMagnitude(&random)
            guard range.contains(magnitude) else { continue }
            let (x, y) = place(&random)
            // Two clumps of the stellar locus: turn-off stars and dwarfs of type M.
            let isRed = random.uniform() < 0.45
            let gr = (isRed ? 1.35 : 0.45) + 0.12 * Double(random.normal())
            let rz = (isRed ? random.between(0.7, 1.8) : 0.2 + 0.1 * Double(random.normal()))
            let model = GalaxyModel(
                kind: .star, magnitude: magnitude, size: 0, colourShift: (gr - 0.55, rz - 0.45), random: &random)
            sources.append(Source(x: x, y: y, model: model))
        }
        for _ in 0..<random.poisson(mean: expected * relativeCount(range.lowerBound, range.upperBound)) {
            let magnitude = galaxyMagnitude(random.between(0, 1))
            let size = 0.55 * pow(10, -0.11 * (magnitude - 23) + 0.2 * Double(random.normal()))
            var (x, y) = place(&random)
            if let host = sources.randomElement(using: &random), random.uniform() < Float(settings.companionShare) {
                let distance = random.between(0.8, 4) / settings.pixelScale
                let angle = random.between(0, 2 * .pi)
                (x, y) = (host.x + distance * cos(angle), host.y + distance * sin(angle))
            }
            sources.append(galaxy(x, y, magnitude, min(8, max(0.08, size)), &random))
        }
        let fields = pow(Double(settings.size) * settings.pixelScale / 67.072, 2)
        for _ in 0..<random.poisson(mean: settings.resolvedGalaxies * fields) {
            let magnitude = random.between(16, 20.5)
            let size = random.between(1.2, 4.5) * pow(10, -0.06 * (magnitude - 18))
            let (x, y) = (
                random.between(-0.5, Double(settings.size) - 0.5), random.between(-0.5, Double(settings.size) - 0.5)
            )
            guard range.contains(magnitude) else { continue }
            sources.append(galaxy(x, y, magnitude, size, &random))
        }
        return sources
    }

    private func galaxy(
        _ x: Double, _ y: Double, _ magnitude: Double, _ size: Double, _ random: inout RandomNumbers
    ) -> Source {
        // Faint galaxies are bluer in g − r at a given type, and of all colours.
        let shift = (0.12 * Double(random.normal()), 0.12 * Double(random.normal()))
        return Source(
            x: x, y: y,
            model: GalaxyModel(
                kind: kind(isResolved: size > 0.9, &random), magnitude: magnitude, size: size, colourShift: shift,
                random: &random))
    }

    private func kind(isResolved: Bool, _ random: inout RandomNumbers) -> SourceKind {
        let number = random.uniform()
        guard isResolved else { return number < 0.2 ? .elliptical : number < 0.9 ? .disc : .irregular }
        let shares: [(SourceKind, Float)] = [
            (.elliptical, 0.22), (.disc, 0.18), (.spiral, 0.2), (.barredSpiral, 0.11), (.edgeOn, 0.11),
            (.irregular, 0.07), (.merger, 0.05), (.ring, 0.03), (.lens, 0.03),
        ]
        var sum: Float = 0
        for (kind, share) in shares {
            sum += share
            if number < sum { return kind }
        }
        return .disc
    }

    // MARK: - Counts

    private static let knee = 20.0

    /// The number of galaxies between two magnitudes in units of that brighter than r = 24.
    private func relativeCount(_ bright: Double, _ faint: Double) -> Double {
        (Self.cumulative(faint) - Self.cumulative(bright)) / Self.cumulative(24)
    }

    /// The integral of counts that are 1 a magnitude at the knee.
    private static func cumulative(_ magnitude: Double) -> Double {
        let bright = pow(10, 0.6 * (min(magnitude, knee) - knee)) / (0.6 * log(10))
        guard magnitude > knee else { return bright }
        return bright + (pow(10, 0.36 * (magnitude - knee)) - 1) / (0.36 * log(10))
    }

    private func galaxyMagnitude(_ u: Double) -> Double {
        let (low, high) = (settings.magnitudes.lowerBound, settings.magnitudes.upperBound)
        let target = Self.cumulative(low) + u * (Self.cumulative(high) - Self.cumulative(low))
        let atKnee = Self.cumulative(Self.knee)
        if target < atKnee { return Self.knee + log10(target * 0.6 * log(10)) / 0.6 }
        return Self.knee + log10(1 + (target - atKnee) * 0.36 * log(10)) / 0.36
    }

    /// 14 … 25 with counts as 10^(0.15 r).
    private func starMagnitude(_ random: inout RandomNumbers) -> Double {
        let (low, high) = (pow(10, 0.15 * 14), pow(10, 0.15 * 25))
        return log10(random.between(low, high)) / 0.15
    }

    private func logUniform(_ range: ClosedRange<Double>, _ random: inout RandomNumbers) -> Double {
        range.lowerBound * pow(range.upperBound / range.lowerBound, random.between(0, 1))
    }
}
