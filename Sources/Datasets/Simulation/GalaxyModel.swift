import Foundation
import Tensors

/// A galaxy of a kind, magnitude and size, its details drawn at random: the components and what is true of them together.
///
/// Colours are AB: old stars g − r 0.8 and r − z 0.6, discs 0.55 and 0.45, young arms 0.3 and 0.2, all shifted alike by a
/// random amount that stands for redshift and dust.
struct GalaxyModel {
    let kind: SourceKind
    /// r, of the main galaxy or of all of a merger or lens, before the small parts are added.
    let magnitude: Double
    /// Arcsec, along the major axis of the disc (of the whole where there is none).
    let size: Double
    private(set) var components: [LightComponent] = []
    /// Of all components, nanomaggies in g, r, z.
    private(set) var flux = [0.0, 0.0, 0.0]
    private(set) var bulgeFraction = 0.0
    private(set) var axisRatio = 1.0
    private(set) var positionAngle = 0.0
    private(set) var halfLightRadius: Double
    private(set) var sersicIndex = 1.0
    private var colourShift: (gr: Double, rz: Double)

    init(
        kind: SourceKind, magnitude: Double, size: Double, colourShift: (gr: Double, rz: Double) = (0, 0),
        random: inout RandomNumbers
    ) {
        self.kind = kind
        self.magnitude = magnitude
        self.size = size
        self.colourShift = colourShift
        halfLightRadius = size
        positionAngle = random.between(0, 180)
        switch kind {
        case .star: addStar()
        case .elliptical:
            (axisRatio, sersicIndex, bulgeFraction) = (random.between(0.45, 1), random.between(2, 6), 1)
            add(.sersic(index: sersicIndex, halfLightRadius: size), axisRatio, 1, .old)
        case .disc:
            axisRatio = random.between(0.2, 1)
            addDisc(bulge: random.uniform() < 0.4 ? 0 : random.between(0.05, 0.5), random: &random)
        case .spiral:
            axisRatio = random.between(0.35, 1)
            addDisc(bulge: random.between(0.03, 0.35), arms: random.between(0.5, 0.85), random: &random)
        case .barredSpiral:
            axisRatio = random.between(0.4, 1)
            addDisc(
                bulge: random.between(0.03, 0.2), arms: random.between(0.4, 0.8), bar: random.between(0.1, 0.25),
                random: &random)
        case .edgeOn: addEdgeOn(&random)
        case .ring: addRing(&random)
        case .merger: addMerger(&random)
        case .lens: addLens(&random)
        case .irregular: addIrregular(&random)
        }
    }

    var magnitudes: [Double] { flux.map(SurveyBand.magnitude(flux:)) }

    // MARK: - Kinds

    private mutating func addStar() {
        (halfLightRadius, sersicIndex) = (0, 0)
        add(.point, 1, 1, .disc)
    }

    /// An exponential disc; a share of what is not bulge or bar in spiral arms.
    private mutating func addDisc(
        bulge: Double, arms: Double = 0, bar: Double = 0, random: inout RandomNumbers
    ) {
        bulgeFraction = bulge
        let bulgeIndex = random.between(1.2, 4)
        let bulgeSize = size * random.between(0.12, 0.3)
        if bulge > 0 {
            // Bulges are rounder than their discs.
            add(
                .sersic(index: bulgeIndex, halfLightRadius: bulgeSize), max(axisRatio, 0.3 + 0.5 * axisRatio), bulge,
                .old)
        }
        let rest = 1 - bulge - bar
        add(.sersic(index: 1, halfLightRadius: size), axisRatio, rest * (1 - arms), .disc)
        let barAngle = random.between(0, 180)
        if bar > 0 {
            let length = size * random.between(0.45, 0.8)
            add(
                .bar(halfLength: length, width: length * random.between(0.12, 0.22), angleDegrees: barAngle), axisRatio,
                bar, .old)
        }
        if arms > 0 { addArms(share: rest * arms, barAngle: bar > 0 ? barAngle : nil, random: &random) }
        setWhole(
            [(bulge, SersicProfile(index: bulgeIndex, halfLightRadius: bulgeSize))]
                + [(1 - bulge, SersicProfile(index: 1, halfLightRadius: size))],
            axisRatio * (1 - bulge) + bulge * max(axisRatio, 0.3 + 0.5 * axisRatio))
    }

    /// Arms of one to four, tight to open, with knots of young stars along them; those of a barred spiral begin at the bar's ends.
    private mutating func addArms(share: Double, barAngle: Double?, random: inout RandomNumbers) {
        let number = random.uniform()
        let count = barAngle != nil || number < 0.65 ? 2 : number < 0.85 ? 3 : number < 0.95 ? 4 : 1
        let pitch = random.between(9, 32) * (random.uniform() < 0.5 ? 1 : -1)
        let phase = barAngle.map { $0 * .pi / 180 + log(0.6) / tan(-pitch * .pi / 180) } ?? random.between(0, 2 * .pi)
        let knots = 6 + random.integer(below: 14)
        let knotShare = share * random.between(0.05, 0.2)
        add(
            .arms(halfLightRadius: size, count: count, pitchDegrees: pitch, phase: phase), axisRatio, share - knotShare,
            .young)
        for _ in 0..<knots {
            let radius = size * random.between(0.4, 1.9)
            let arm = Double(random.integer(below: count)) * 2 * .pi / Double(count)
            let angle =
                phase + arm + log(radius / size) / tan(pitch * .pi / 180) + Double(random.normal()) * 0.12
            let (x, y) = inDisc(radius * cos(angle), radius * sin(angle))
            add(
                .sersic(index: 0.5, halfLightRadius: size * random.between(0.02, 0.07)), 1,
                knotShare / Double(knots), .lensed, x: x, y: y)
        }
    }

    private mutating func addEdgeOn(_ random: inout RandomNumbers) {
        let scaleLength = size / 1.6783 * 1.15
        let scaleHeight = scaleLength * random.between(0.09, 0.2)
        bulgeFraction = random.between(0, 0.35)
        let bulgeSize = size * random.between(0.12, 0.25)
        let bulgeIndex = random.between(1, 3)
        if bulgeFraction > 0.03 {
            add(
                .sersic(index: bulgeIndex, halfLightRadius: bulgeSize), random.between(0.55, 0.9), bulgeFraction, .old)
        } else {
            bulgeFraction = 0
        }
        // Dust takes more of the blue light: the depth in g, r and z as by the law of Cardelli et al. (1989, ApJ 345, 245).
        let depth = random.uniform() < 0.3 ? 0 : random.between(0.7, 3.5)
        let offset = random.between(-0.4, 0.4) * scaleHeight
        let light = fluxes(1 - bulgeFraction, .disc)
        for (band, relative) in [1.2, 0.85, 0.45].enumerated() {
            var own = [0.0, 0, 0]
            own[band] = light[band]
            add(
                .edgeOn(
                    scaleLength: scaleLength, scaleHeight: scaleHeight, dustDepth: depth * relative, dustOffset: offset),
                1, flux: own)
        }
        axisRatio = max(0.08, 0.55 * scaleHeight / scaleLength / 0.78 + 0.4 * bulgeFraction)
        setWhole(
            [
                (bulgeFraction, SersicProfile(index: bulgeIndex, halfLightRadius: bulgeSize)),
                (1 - bulgeFraction, SersicProfile(index: 1, halfLightRadius: size)),
            ], axisRatio)
    }

    private mutating func addRing(_ random: inout RandomNumbers) {
        axisRatio = random.between(0.5, 1)
        bulgeFraction = random.between(0.3, 0.55)
        let index = random.between(1.5, 4)
        add(.sersic(index: index, halfLightRadius: size * 0.35), max(axisRatio, 0.8), bulgeFraction, .old)
        let disc = random.between(0.1, 0.3) * (1 - bulgeFraction)
        add(.sersic(index: 1, halfLightRadius: size), axisRatio, disc, .disc)
        let radius = size * random.between(1.1, 1.6)
        add(
            .ring(radius: radius, width: radius * random.between(0.08, 0.16)), axisRatio, 1 - bulgeFraction - disc,
            .young)
        setWhole(
            [
                (bulgeFraction, SersicProfile(index: index, halfLightRadius: size * 0.35)),
                (1 - bulgeFraction, SersicProfile(index: 0.3, halfLightRadius: radius)),
            ], axisRatio)
    }

    /// Two galaxies a few radii apart, each with a tail thrown out on its far side.
    private mutating func addMerger(_ random: inout RandomNumbers) {
        axisRatio = random.between(0.4, 0.9)
        let second = random.between(0.2, 0.45)
        let tails = random.between(0.12, 0.3)
        let first = 1 - second - tails
        let bulge = random.between(0.1, 0.5)
        bulgeFraction = first * bulge
        add(.sersic(index: random.between(1.5, 4), halfLightRadius: size * 0.25), 0.85, first * bulge, .old)
        let armed = random.uniform() < 0.5 ? 0.5 : 0
        add(.sersic(index: 1, halfLightRadius: size * 0.8), axisRatio, first * (1 - bulge) * (1 - armed), .disc)
        if armed > 0 {
            add(
                .arms(
                    halfLightRadius: size * 0.8, count: 2, pitchDegrees: random.between(20, 40),
                    phase: random.between(0, 6)),
                axisRatio, first * (1 - bulge) * armed, .young)
        }
        let (angle, distance) = (random.between(0, 2 * .pi), size * random.between(0.9, 2.2))
        let (x, y) = (distance * cos(angle), distance * sin(angle))
        let (secondSize, secondAngle) = (size * random.between(0.35, 0.6), random.between(0, 180))
        let secondRatio = random.between(0.4, 0.9)
        add(
            .sersic(index: random.between(1, 3), halfLightRadius: secondSize), secondRatio, second, .disc, x: x, y: y,
            angle: secondAngle)
        // Position angles run from north (+y) through east (−x); a tail leaves at right angles to the line between the two.
        let turn = random.uniform() < 0.5 ? 1.0 : -1
        let away = atan2(-x, y) * 180 / .pi
        for (share, tx, ty, direction) in [(0.55, 0.0, 0.0, away + 180 - 75 * turn), (0.45, x, y, away - 75 * turn)] {
            let length = size * random.between(1.8, 3.6)
            add(
                .tail(
                    length: length, width: size * random.between(0.14, 0.24),
                    curvature: turn * length * random.between(0.5, 1.2)),
                1, tails * share, .young, x: tx, y: ty, angle: direction)
        }
        halfLightRadius = size * 1.2
        sersicIndex = 1
    }

    /// An elliptical with the images of a blue galaxy behind it.
    private mutating func addLens(_ random: inout RandomNumbers) {
        (axisRatio, sersicIndex, bulgeFraction) = (random.between(0.6, 0.95), random.between(3, 5), 1)
        let images = random.between(0.08, 0.25)
        add(.sersic(index: sersicIndex, halfLightRadius: size), axisRatio, 1 - images, .old)
        let radius = max(size * random.between(1.3, 2.2), 1.4)
        let (distance, angle) = (radius * random.between(0, 0.45), random.between(0, 2 * .pi))
        add(
            .lensed(
                einsteinRadius: radius, sourceX: distance * cos(angle), sourceY: distance * sin(angle),
                index: random.between(0.8, 1.5), halfLightRadius: radius * random.between(0.05, 0.16)),
            axisRatio, images, .lensed)
    }

    private mutating func addIrregular(_ random: inout RandomNumbers) {
        axisRatio = random.between(0.4, 0.9)
        sersicIndex = random.between(0.6, 1.1)
        let clumps = 4 + random.integer(below: 9)
        let clumpShare = random.between(0.25, 0.6)
        // The smooth part is off the clumps' centre.
        add(
            .sersic(index: sersicIndex, halfLightRadius: size), axisRatio, 1 - clumpShare, .young,
            x: Double(random.normal()) * 0.15 * size, y: Double(random.normal()) * 0.15 * size)
        for _ in 0..<clumps {
            let (x, y) = inDisc(Double(random.normal()) * size * 0.8, Double(random.normal()) * size * 0.8)
            add(
                .sersic(index: 0.7, halfLightRadius: size * random.between(0.06, 0.3)), random.between(0.5, 1),
                clumpShare / Double(clumps), random.uniform() < 0.3 ? .young : .lensed, x: x, y: y,
                angle: random.between(0, 180))
        }
    }

    // MARK: - Parts

    /// Offsets to the right and up of a place in the plane of the disc.
    private func inDisc(_ u: Double, _ v: Double) -> (Double, Double) {
        let angle = positionAngle * .pi / 180
        return (-sin(angle) * u + cos(angle) * v * axisRatio, cos(angle) * u + sin(angle) * v * axisRatio)
    }

    private func fluxes(_ share: Double, _ stars: StellarPopulation) -> [Double] {
        let (gr, rz) = (stars.colours.gr + colourShift.gr, stars.colours.rz + colourShift.rz)
        return [magnitude + gr, magnitude, magnitude - rz].map { SurveyBand.flux(magnitude: $0) * share }
    }

    private mutating func add(
        _ shape: LightComponent.Shape, _ axisRatio: Double, _ share: Double, _ stars: StellarPopulation, x: Double = 0,
        y: Double = 0, angle: Double? = nil
    ) {
        add(shape, axisRatio, flux: fluxes(share, stars), x: x, y: y, angle: angle)
    }

    private mutating func add(
        _ shape: LightComponent.Shape, _ axisRatio: Double, flux light: [Double], x: Double = 0, y: Double = 0,
        angle: Double? = nil
    ) {
        for band in light.indices { flux[band] += light[band] }
        components.append(
            LightComponent(shape, x: x, y: y, axisRatio: axisRatio, positionAngle: angle ?? positionAngle, flux: light))
    }

    private mutating func setWhole(_ parts: [(Double, SersicProfile)], _ axisRatio: Double) {
        let whole = CompositeProfile(parts.filter { $0.0 > 0 })
        halfLightRadius = whole.radius(holding: 0.5)
        sersicIndex = whole.equivalentIndex
        self.axisRatio = axisRatio
    }
}

extension RandomNumbers {
    mutating func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * Double(uniform()) }
}
