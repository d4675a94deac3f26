import Datasets
import Foundation
import ImageProcessing
import Tensors

/// A galaxy with its neighbours as light on pixels, without noise, and the truth about it.
///
/// Lengths are pixels; fluxes are in units of the galaxy's own in each of two bands, which differ in seeing, in the bulge's share
/// of the light and in the colours of the neighbours. Galaxies are single Sérsic profiles, bulges in discs, and discs with spiral
/// arms. What a survey adds (noise, depth) is drawn each time a scene is looked at.
package struct ParameterScene: Sendable {
    /// Side of a scene, pixels.
    package static let side = 96

    /// What is true of a galaxy in one band.
    package struct Truth: Sendable, Equatable {
        /// Semi-major axis that holds half of the light, pixels.
        package var halfLightRadius: Double
        /// Of a bulge in a disc: that of the profile with the same ratio of the radii with 80 % and 20 % of the light.
        package var sersicIndex: Double
        package var axisRatio: Double
        /// Of the major axis from +x towards +y, radians.
        package var angle: Double
        package var bulgeFraction: Double
    }

    /// Light of the two bands.
    package let planes: [Plane<Float>]
    package let truths: [Truth]
    /// Seeing in the two bands: full width at half maximum, pixels.
    package let fwhm: [Double]
    package let psf: PointSpread.Shape

    /// Renderers for pixels of size 1, with the PSFs that scenes have.
    static func renderers() -> [(psf: PointSpread.Shape, renderer: SceneRenderer)] {
        let shapes: [PointSpread.Shape] = [.gaussian] + [2.5, 3, 3.5, 4.5].map { .moffat(beta: $0) }
        return shapes.map { ($0, SceneRenderer(pixelScale: 1, psf: $0, largest: side + 32)) }
    }

    /// Scene number `index` of a seed.
    init(seed: UInt64, index: Int, renderers: [(psf: PointSpread.Shape, renderer: SceneRenderer)]) {
        var random = RandomNumbers(seed: seed, stream: UInt64(index))
        func between(_ low: Double, _ high: Double) -> Double { Double(random.uniform(Float(low), Float(high))) }
        func logarithmic(_ low: Double, _ high: Double) -> Double { exp(between(log(low), log(high))) }
        let seeing = logarithmic(1.3, 6)
        fwhm = [seeing, min(max(seeing * between(0.8, 1.25), 1.2), 7)]
        let radius = logarithmic(max(0.8, 0.25 * seeing), 13)
        let positionAngle = between(0, 180)
        let (x, y) = (between(-1, 1), between(-1, 1))
        let galaxy = GalaxyLight(
            radius: radius, positionAngle: positionAngle, x: x, y: y, random: &random)
        truths = (0..<2).map { galaxy.truth(band: $0) }
        // Neighbours, not on the galaxy itself.
        var components = galaxy.components
        let margin = min(1.5 * radius + 1.2 * seeing, 36)
        for _ in 0..<(random.uniform() < 0.3 ? 0 : 1 + random.integer(below: 5)) {
            let half = Double(Self.side) / 2
            let (u, v) = (between(-half, half), between(-half, half))
            let flux = pow(10, -0.4 * between(-0.7, 4))
            let fluxes = [flux, flux * pow(10, -0.4 * between(-0.8, 0.8))]
            let isStar = random.uniform() < 0.4
            let (size, ratio) = (logarithmic(0.8, 6), between(0.3, 1))
            let (index, angle) = (between(0.6, 4), between(0, 180))
            if hypot(u - x, v - y) < margin { continue }
            components.append(
                isStar
                    ? LightComponent(.point, x: u, y: v, flux: fluxes)
                    : LightComponent(
                        .sersic(index: index, halfLightRadius: size), x: u, y: v, axisRatio: ratio,
                        positionAngle: angle, flux: fluxes))
        }
        let chosen = renderers[random.integer(below: renderers.count)]
        psf = chosen.psf
        let light = chosen.renderer.render(
            components, size: Self.side, psfs: fwhm.map { PointSpread(chosen.psf, fwhm: $0) })
        planes = light.map { Plane(width: Self.side, height: Self.side, values: $0) }
    }
}

/// The light of one galaxy of total flux 1 in both bands.
private struct GalaxyLight {
    private(set) var components: [LightComponent] = []
    private var axisRatio: Double
    private var angle: Double
    /// Profiles face on with their shares of the light in the bands.
    private var profiles: [(profile: SersicProfile, shares: [Double])] = []
    private var bulge = [0.0, 0.0]

    init(radius: Double, positionAngle: Double, x: Double, y: Double, random: inout RandomNumbers) {
        func between(_ low: Double, _ high: Double) -> Double { Double(random.uniform(Float(low), Float(high))) }
        // The major axis is positionAngle from +y towards −x.
        angle = (positionAngle + 90) * .pi / 180
        let choice = random.uniform()
        if choice < 0.55 {
            axisRatio = between(0.15, 1)
            let index = exp(between(log(0.5), log(6)))
            let profile = SersicProfile(index: index, halfLightRadius: radius)
            components = [
                LightComponent(
                    .sersic(index: index, halfLightRadius: radius), x: x, y: y, axisRatio: axisRatio,
                    positionAngle: positionAngle, flux: [1, 1])
            ]
            profiles = [(profile, [1, 1])]
            // A single profile is all bulge above n = 2.5 and no bulge below.
            bulge = index > 2.5 ? [1, 1] : [0, 0]
            return
        }
        axisRatio = between(0.15, 1)
        let first = between(0.02, 0.75)
        bulge = [first, min(max(first * between(0.6, 1.6), 0.01), 0.9)]
        let (index, bulgeRadius) = (between(1, 4), radius * between(0.12, 0.45))
        let bulgeRatio = axisRatio + (1 - axisRatio) * between(0, 0.5)
        components.append(
            LightComponent(
                .sersic(index: index, halfLightRadius: bulgeRadius), x: x, y: y, axisRatio: bulgeRatio,
                positionAngle: positionAngle, flux: bulge))
        profiles.append((SersicProfile(index: index, halfLightRadius: bulgeRadius), bulge))
        let disc = bulge.map { 1 - $0 }
        let arms = choice > 0.82 ? between(0.3, 0.7) : 0
        components.append(
            LightComponent(
                .sersic(index: 1, halfLightRadius: radius), x: x, y: y, axisRatio: axisRatio,
                positionAngle: positionAngle, flux: disc.map { $0 * (1 - arms) }))
        if arms > 0 {
            components.append(
                LightComponent(
                    .arms(
                        halfLightRadius: radius, count: random.uniform() < 0.8 ? 2 : 3,
                        pitchDegrees: between(12, 28) * (random.uniform() < 0.5 ? 1 : -1), phase: between(0, 6.28)),
                    x: x, y: y, axisRatio: axisRatio, positionAngle: positionAngle, flux: disc.map { $0 * arms }))
        }
        profiles.append((SersicProfile(index: 1, halfLightRadius: radius), disc))
    }

    func truth(band: Int) -> ParameterScene.Truth {
        let single = profiles.count == 1
        let index = single ? profiles[0].profile.index : equivalentIndex(band)
        return ParameterScene.Truth(
            halfLightRadius: single ? profiles[0].profile.halfLightRadius : radius(holding: 0.5, band),
            sersicIndex: index, axisRatio: axisRatio, angle: angle, bulgeFraction: bulge[band])
    }

    /// The semi-major axis that holds a fraction of the light, each profile in its own ellipses.
    private func radius(holding fraction: Double, _ band: Int) -> Double {
        func inside(_ radius: Double) -> Double {
            profiles.reduce(0) { $0 + $1.shares[band] * $1.profile.fluxFraction(within: radius) }
        }
        var (low, high) = (0.0, 200.0)
        for _ in 0..<50 {
            let middle = (low + high) / 2
            if inside(middle) < fraction { low = middle } else { high = middle }
        }
        return high
    }

    /// The index of the single profile with the same r₈₀ / r₂₀.
    private func equivalentIndex(_ band: Int) -> Double {
        let ratio = radius(holding: 0.8, band) / radius(holding: 0.2, band)
        var (low, high) = (0.3, 8.0)
        for _ in 0..<25 {
            let middle = (low + high) / 2
            let profile = SersicProfile(index: middle, halfLightRadius: 1)
            if profile.radius(holding: 0.8) / profile.radius(holding: 0.2) < ratio {
                low = middle
            } else {
                high = middle
            }
        }
        return (low + high) / 2
    }
}
