import AstroIO
import Datasets
import Foundation
import TestSupport
import Testing

@Suite("Simulated galaxies")
struct SimulatorTests {
    /// A galaxy that GalSim drew (scripts/fixtures/simulation.py).
    struct Reference: Decodable, CustomTestStringConvertible {
        var n: Double
        var radius: Double
        var q: Double
        var angle: Double
        var fwhm: Double
        var x: Double
        var y: Double
        var pixels: [Float]

        var testDescription: String { "n = \(n), q = \(q)" }
    }

    static let references = (try? fixture("simulation/galsim.json", as: [Reference].self)) ?? []

    @Test("there are references")
    func present() { #expect(Self.references.count == 5) }

    @Test("a Sérsic galaxy behind a Moffat PSF is GalSim's to 1 % of its peak and of its flux", arguments: references)
    func profile(_ reference: Reference) throws {
        let component = LightComponent(
            .sersic(index: reference.n, halfLightRadius: reference.radius), x: reference.x, y: reference.y,
            axisRatio: reference.q, positionAngle: reference.angle, flux: [1])
        let renderer = SceneRenderer(pixelScale: 0.262, largest: 96)
        let own = renderer.render([component], size: 64, psfs: [PointSpread(fwhm: reference.fwhm)])[0]
        let peak = try #require(reference.pixels.max())
        let worst = zip(own, reference.pixels).map { abs($0 - $1) }.max() ?? .infinity
        #expect(worst < 0.01 * peak, "\(worst / peak) of the peak")
        let (flux, expected) = (own.reduce(0, +), reference.pixels.reduce(0, +))
        #expect(abs(flux - expected) < 0.01 * expected, "flux \(flux), not \(expected)")
    }

    @Test(
        "half of a Sérsic profile's light is inside its half-light radius, for every index",
        arguments: [0.3, 0.5, 1, 2.5, 4, 8])
    func halfLight(_ index: Double) {
        let profile = SersicProfile(index: index, halfLightRadius: 2)
        #expect(abs(profile.fluxFraction(within: 2) - 0.5) < 1e-9)
        #expect(abs(profile.radius(holding: 0.5) - 2) < 1e-6)
        // b of the usual approximation (Ciotti & Bertin 1999, A&A 352, 447, eq. 18).
        if index >= 0.5 {
            let n = index
            let approximation = 2 * n - 1.0 / 3 + 4 / (405 * n) + 46 / (25515 * n * n)
            #expect(abs(profile.b - approximation) < 1e-3)
        }
    }

    @Test(
        "every shape holds its flux",
        arguments: [
            LightComponent.Shape.arms(halfLightRadius: 1.5, count: 2, pitchDegrees: 20, phase: 0.3),
            .ring(radius: 2, width: 0.3), .arc(radius: 2, width: 0.2, extentDegrees: 30), .point,
            .streak(length: 4, width: 0.3), .bar(halfLength: 2, width: 0.4, angleDegrees: 30),
            .tail(length: 5, width: 0.4, curvature: 4), .tail(length: 5, width: 0.4, curvature: -4),
            .edgeOn(scaleLength: 1.5, scaleHeight: 0.25, dustDepth: 0, dustOffset: 0),
            .edgeOn(scaleLength: 1.5, scaleHeight: 0.25, dustDepth: 2, dustOffset: 0.05),
            .lensed(einsteinRadius: 2, sourceX: 0.3, sourceY: -0.2, index: 1, halfLightRadius: 0.3),
        ])
    func shapes(_ shape: LightComponent.Shape) {
        let renderer = SceneRenderer(pixelScale: 0.262, largest: 160)
        let plane = renderer.render([LightComponent(shape, flux: [3])], size: 128, psfs: [PointSpread(fwhm: 1)])[0]
        #expect(abs(plane.reduce(0, +) - 3) < 0.03, "\(plane.reduce(0, +))")
        #expect(plane.allSatisfy { $0 > -1e-4 })
    }

    @Test("an object depends on seed and number only; other seeds give other objects")
    func determinism() {
        let simulator = GalaxySimulator(seed: 5, size: 64)
        let (first, again) = (simulator.object(3), GalaxySimulator(seed: 5, size: 64).object(3))
        #expect(first.truth == again.truth && first.image.pixels == again.image.pixels)
        #expect(GalaxySimulator(seed: 6, size: 64).object(3).image.pixels != first.image.pixels)
        #expect(simulator.object(4).truth != first.truth)
    }

    @Test("magnitudes, sky noise and position are those of the truth")
    func photometry() throws {
        let simulator = GalaxySimulator(seed: 11, size: 128, unusualShare: 0)
        for index in 0..<4 {
            let object = simulator.object(index)
            let wcs = try #require(object.image.wcs)
            let centre = try #require(wcs.skyToPixel(ra: object.truth.ra, dec: object.truth.dec))
            #expect(abs(centre.x - 63.5) < 1e-6 && abs(centre.y - 63.5) < 1e-6)
            let band = try #require(object.image[band: "r"])
            let inner = (24..<104).flatMap { y in (24..<104).map { x in Double(band[band.startIndex + y * 128 + x]) } }
            let magnitude = SurveyBand.magnitude(flux: inner.reduce(0, +))
            // Neighbours add light, the aperture loses some.
            #expect(
                abs(magnitude - object.truth.magnitudes[1]) < 0.25, "\(magnitude), not \(object.truth.magnitudes[1])")
        }
    }

    @Test("files and truth table read back; the images fit the table")
    func sample() throws {
        try withTemporaryFolder { folder in
            let simulator = GalaxySimulator(seed: 2, size: 48, unusualShare: 0.5)
            try SampleGenerator(simulator).write(count: 6, to: folder, workers: 2)
            let truth = try Catalog.read(folder + "/truth.ecsv")
            #expect(truth.rowCount == 6)
            let files = try #require(truth["file_loc"]?.strings).compactMap(\.self)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 7)
            let ra = try #require(truth["ra"]?.doubles)
            for (index, file) in files.enumerated() {
                let image = try ImageReader.read(folder + "/" + file)
                #expect(image.bands == ["g", "r", "z"] && image.width == 48 && image.unit == "nanomaggy")
                let centre = try #require(image.wcs?.pixelToSky(x: 23.5, y: 23.5))
                #expect(abs(centre.ra - ra[index]) < 1e-8)
            }
        }
    }
}
