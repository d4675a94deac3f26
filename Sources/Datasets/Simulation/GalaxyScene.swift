import Foundation
import Tensors

/// The lights of one simulated stamp, drawn at random: the galaxy in the middle and what stands around it.
///
/// Colours are AB: old stars g − r 0.8 and r − z 0.6, discs 0.5 and 0.4, young arms 0.3 and 0.2.
struct GalaxyScene {
    let kind: GalaxySimulator.Kind
    /// Side of the stamp, arcsec.
    let fieldSide: Double
    private(set) var components: [LightComponent] = []
    /// Of the galaxy alone, in nanomaggies.
    private(set) var galaxyFlux: [Double] = [0, 0, 0]
    private(set) var bulgeFraction = 0.0
    private(set) var halfLightRadius = 0.0
    private(set) var sersicIndex = 0.0
    private(set) var axisRatio = 1.0
    private(set) var positionAngle = 0.0

    init(kind: GalaxySimulator.Kind, fieldSide: Double, random: inout RandomNumbers) {
        self.kind = kind
        self.fieldSide = fieldSide
        func between(_ low: Double, _ high: Double) -> Double { Double(random.uniform(Float(low), Float(high))) }

        positionAngle = between(0, 180)
        let magnitude = between(15.6, 18.2)
        // Brighter galaxies are larger on the sky.
        let size = fieldSide * 0.13 * pow(10, -0.1 * (magnitude - 16.5)) * between(0.8, 1.25)
        halfLightRadius = size
        switch kind {
        case .elliptical:
            (axisRatio, sersicIndex, bulgeFraction) = (between(0.55, 1), between(2.5, 5), 1)
            add(sersicIndex, size, axisRatio, magnitude, .old)
        case .disc, .edgeOn:
            axisRatio = kind == .edgeOn ? between(0.1, 0.18) : between(0.3, 0.95)
            halfLightRadius = size * (kind == .edgeOn ? 1.5 : 1)
            addDisc(magnitude, bulge: between(0.1, 0.5), arms: 0, random: &random)
        case .spiral, .trail:
            axisRatio = between(0.45, 1)
            halfLightRadius = size * 1.25
            addDisc(magnitude, bulge: between(0.05, 0.3), arms: between(0.45, 0.75), random: &random)
        case .ring:
            axisRatio = between(0.6, 1)
            bulgeFraction = between(0.35, 0.5)
            sersicIndex = between(2, 4)
            add(sersicIndex, size * 0.4, between(0.8, 1), magnitude - 2.5 * log10(bulgeFraction), .old)
            let radius = size * between(1.1, 1.5)
            add(
                .ring(radius: radius, width: radius * between(0.1, 0.16)), axisRatio,
                magnitude - 2.5 * log10(1 - bulgeFraction), .young)
        case .merger:
            axisRatio = between(0.4, 0.9)
            addDisc(magnitude + 0.5, bulge: between(0.2, 0.5), arms: between(0.2, 0.5), random: &random)
            let (angle, distance) = (between(0, 2 * .pi), fieldSide * between(0.14, 0.22))
            let (x, y) = (distance * cos(angle), distance * sin(angle))
            add(
                .sersic(index: between(1, 2.5), halfLightRadius: size * between(0.5, 0.8)), between(0.5, 0.9),
                magnitude + between(0.4, 1.2), .disc, x: x, y: y, angle: between(0, 180))
            // A bridge between the two and a tail on the far side.
            for (side, faint) in [(0.5, 1.8), (-0.8, 2.0)] {
                add(
                    .arc(radius: distance * 1.1, width: size * 0.16, extentDegrees: between(30, 50)),
                    between(0.6, 0.95),
                    magnitude + faint, .young, x: x * side, y: y * side, angle: between(0, 180))
            }
        case .lens:
            (axisRatio, sersicIndex, bulgeFraction) = (between(0.75, 1), between(3, 5), 1)
            halfLightRadius = size * 0.6
            add(sersicIndex, halfLightRadius, axisRatio, magnitude + 0.6, .old)
            let radius = fieldSide * between(0.15, 0.22)
            let width = fieldSide * 0.012
            let angle = between(0, 360)
            add(
                .arc(radius: radius, width: width, extentDegrees: between(28, 45)), 1, magnitude + 3.0, .lensed,
                angle: angle)
            add(
                .arc(radius: radius * 0.8, width: width, extentDegrees: between(8, 14)), 1, magnitude + 4.4, .lensed,
                angle: angle + 180)
        case .irregular:
            axisRatio = between(0.5, 0.9)
            sersicIndex = between(0.6, 1)
            add(sersicIndex, size, axisRatio, magnitude + 0.7, .young)
            for _ in 0..<(5 + random.integer(below: 5)) {
                let (x, y) = (Double(random.normal()) * size * 0.7, Double(random.normal()) * size * 0.7)
                add(
                    .sersic(index: 0.7, halfLightRadius: size * Double(random.uniform(0.06, 0.2))), 1,
                    magnitude + Double(random.uniform(1.8, 3.4)), .lensed, x: x, y: y)
            }
        }
        if kind == .trail {
            // A satellite or aircraft crosses the stamp in one band or in two.
            let flux = SurveyBand.flux(magnitude: between(15.2, 16.4))
            let weights = [[1, 0, 0], [0, 1, 0], [0.1, 0.2, 1]][random.integer(below: 3)].map { $0 * flux }
            components.append(
                LightComponent(
                    .streak(length: 3 * fieldSide, width: between(0.3, 0.6)), x: between(-0.2, 0.2) * fieldSide,
                    y: between(-0.2, 0.2) * fieldSide, positionAngle: between(0, 180), flux: weights))
        }
    }

    /// Stars and faint galaxies: on average 2 and 3 in 25″ × 25″.
    mutating func addNeighbours(random: inout RandomNumbers) {
        let area = fieldSide * fieldSide / 625
        func place() -> (Double, Double) {
            (Double(random.uniform(-0.5, 0.5)) * fieldSide, Double(random.uniform(-0.5, 0.5)) * fieldSide)
        }
        for _ in 0..<random.poisson(mean: 2 * area) {
            let (x, y) = place()
            let magnitude = Double(random.uniform(18, 23))
            let (gr, rz) = (Double(random.uniform(0.3, 1.4)), Double(random.uniform(0.1, 1.2)))
            // A star before the galaxy's centre would be measured with it.
            if x * x + y * y < 0.02 * fieldSide * fieldSide { continue }
            components.append(LightComponent(.point, x: x, y: y, flux: Self.flux(magnitude, gr, rz)))
        }
        for _ in 0..<random.poisson(mean: 3 * area) {
            let (x, y) = place()
            components.append(
                LightComponent(
                    .sersic(index: Double(random.uniform(0.8, 2.5)), halfLightRadius: Double(random.uniform(0.3, 0.8))),
                    x: x,
                    y: y, axisRatio: Double(random.uniform(0.4, 1)), positionAngle: Double(random.uniform(0, 180)),
                    flux: Self.flux(
                        Double(random.uniform(20.5, 23.5)), Double(random.uniform(0.2, 1.3)),
                        Double(random.uniform(0.1, 1.1)))))
        }
    }

    // MARK: - Parts of a galaxy

    private enum Stars {
        case old, disc, young, lensed

        var colours: (gr: Double, rz: Double) {
            switch self {
            case .old: (0.8, 0.6)
            case .disc: (0.55, 0.45)
            case .young: (0.3, 0.2)
            case .lensed: (0.05, 0.0)
            }
        }
    }

    private mutating func addDisc(_ magnitude: Double, bulge: Double, arms: Double, random: inout RandomNumbers) {
        bulgeFraction = bulge
        sersicIndex = Double(random.uniform(1.5, 4))
        // Bulges are rounder than their discs.
        add(
            sersicIndex, halfLightRadius * Double(random.uniform(0.15, 0.3)),
            max(axisRatio, 0.5 + 0.5 * axisRatio - 0.2),
            magnitude - 2.5 * log10(bulge), .old)
        let disc = (1 - bulge) * (1 - arms)
        add(1, halfLightRadius, axisRatio, magnitude - 2.5 * log10(disc), .disc)
        guard arms > 0 else { return }
        let count = random.uniform() < 0.8 ? 2 : 3
        let pitch = Double(random.uniform(14, 28)) * (random.uniform() < 0.5 ? 1 : -1)
        add(
            .arms(
                halfLightRadius: halfLightRadius, count: count, pitchDegrees: pitch,
                phase: Double(random.uniform(0, 6.28))),
            axisRatio, magnitude - 2.5 * log10((1 - bulge) * arms), .young)
    }

    private mutating func add(
        _ index: Double, _ radius: Double, _ axisRatio: Double, _ magnitude: Double, _ stars: Stars
    ) {
        add(.sersic(index: index, halfLightRadius: radius), axisRatio, magnitude, stars)
    }

    private mutating func add(
        _ shape: LightComponent.Shape, _ axisRatio: Double, _ magnitude: Double, _ stars: Stars, x: Double = 0,
        y: Double = 0, angle: Double? = nil
    ) {
        let flux = Self.flux(magnitude, stars.colours.gr, stars.colours.rz)
        for band in flux.indices { galaxyFlux[band] += flux[band] }
        components.append(
            LightComponent(shape, x: x, y: y, axisRatio: axisRatio, positionAngle: angle ?? positionAngle, flux: flux))
    }

    /// Fluxes in g, r and z.
    private static func flux(_ r: Double, _ gr: Double, _ rz: Double) -> [Double] {
        [r + gr, r, r - rz].map(SurveyBand.flux(magnitude:))
    }
}
