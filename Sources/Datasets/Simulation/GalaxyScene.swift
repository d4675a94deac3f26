import Foundation
import Tensors

/// The lights of one simulated stamp, drawn at random: the galaxy in the middle and what stands around it.
struct GalaxyScene {
    let kind: GalaxySimulator.Kind
    /// Side of the stamp, arcsec.
    let fieldSide: Double
    let galaxy: GalaxyModel
    private(set) var components: [LightComponent]

    init(kind: GalaxySimulator.Kind, fieldSide: Double, random: inout RandomNumbers) {
        self.kind = kind
        self.fieldSide = fieldSide
        let magnitude = random.between(15.6, 18.2)
        // Brighter galaxies are larger on the sky.
        let size = fieldSide * 0.13 * pow(10, -0.1 * (magnitude - 16.5)) * random.between(0.8, 1.25)
        let (source, factor): (SourceKind, Double) =
            switch kind {
            case .elliptical: (.elliptical, 1)
            case .disc: (.disc, 1)
            case .edgeOn: (.edgeOn, 1.4)
            case .spiral, .trail: (random.uniform() < 0.65 ? .spiral : .barredSpiral, 1.25)
            case .ring: (.ring, 1)
            case .merger: (.merger, 0.9)
            case .lens: (.lens, 0.6)
            case .irregular: (.irregular, 1)
            }
        galaxy = GalaxyModel(kind: source, magnitude: magnitude, size: size * factor, random: &random)
        components = galaxy.components
        if kind == .trail {
            // A satellite or aircraft crosses the stamp in one band or in two.
            let flux = SurveyBand.flux(magnitude: random.between(15.2, 16.4))
            let weights = [[1, 0, 0], [0, 1, 0], [0.1, 0.2, 1]][random.integer(below: 3)].map { $0 * flux }
            components.append(
                LightComponent(
                    .streak(length: 3 * fieldSide, width: random.between(0.3, 0.6)),
                    x: random.between(-0.2, 0.2) * fieldSide, y: random.between(-0.2, 0.2) * fieldSide,
                    positionAngle: random.between(0, 180), flux: weights))
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

    /// Fluxes in g, r and z.
    private static func flux(_ r: Double, _ gr: Double, _ rz: Double) -> [Double] {
        [r + gr, r, r - rz].map(SurveyBand.flux(magnitude:))
    }
}
