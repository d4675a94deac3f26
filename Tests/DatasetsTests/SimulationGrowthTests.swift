import AstroIO
import Datasets
import Foundation
import TestSupport
import Testing

@Suite("Simulation against GalSim")
struct SimulationGrowthTests {
    /// Growth curves that GalSim drew (benchmarks/simulator/galsim_agreement.py --fixture).
    struct Curves: Decodable {
        struct Case: Decodable, CustomTestStringConvertible {
            var kind: String
            var index: Double
            var radius: Double
            var axisRatio: Double
            var angle: Double
            var beta: Double
            var fwhm: Double
            var growth: [Double]

            var testDescription: String { "\(kind) n \(index) R \(radius) q \(axisRatio) beta \(beta) FWHM \(fwhm)" }
        }

        var size: Int
        var pixelScale: Double
        /// Pixels.
        var radii: [Double]
        var cases: [Case]
    }

    static let curves = try? fixture("simulation/growth_curves.json", as: Curves.self)

    @Test("there are references")
    func present() { #expect((Self.curves?.cases.count ?? 0) >= 30) }

    @Test("growth curves are GalSim's to 1 %", arguments: curves?.cases ?? [])
    func growth(_ reference: Curves.Case) throws {
        let curves = try #require(Self.curves)
        let shape =
            reference.kind == "point"
            ? LightComponent.Shape.point : .sersic(index: reference.index, halfLightRadius: reference.radius)
        let psf = reference.beta == 0 ? PointSpread.Shape.gaussian : .moffat(beta: reference.beta)
        // Both fineness settings: four cells a pixel for stamps, two for fields.
        for cells in [4, 2] {
            let renderer = SceneRenderer(
                pixelScale: curves.pixelScale, psf: psf, cellsPerPixel: cells, largest: curves.size + 32)
            let component = LightComponent(
                shape, axisRatio: reference.axisRatio, positionAngle: reference.angle, flux: [1])
            let image = renderer.render(
                [component], size: curves.size, psfs: [PointSpread(psf, fwhm: reference.fwhm)])[0]
            let centre = Double(curves.size - 1) / 2
            for (radius, expected) in zip(curves.radii, reference.growth) {
                var flux = 0.0
                for (pixel, value) in image.enumerated() {
                    let (x, y) = (Double(pixel % curves.size) - centre, Double(pixel / curves.size) - centre)
                    if x * x + y * y <= radius * radius { flux += Double(value) }
                }
                #expect(abs(flux / expected - 1) < 0.01, "\(cells) cells, within \(radius): \(flux), not \(expected)")
            }
        }
    }

    @Test("a scene file with a wrong number is refused, naming the component")
    func scene() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/scene.json"
            let text = """
                {"size": 32, "pixelScale": 0.3, "psf": {"gaussian": {}}, "fwhm": 1,
                 "components": [{"shape": {"sersic": {"index": INDEX, "halfLightRadius": 1}}, "flux": [2]}]}
                """
            try text.replacing("INDEX", with: "1").write(toFile: path, atomically: true, encoding: .utf8)
            #expect(abs(try ComponentScene.read(path).image().pixels.reduce(0, +) - 2) < 0.02)
            try text.replacing("INDEX", with: "40").write(toFile: path, atomically: true, encoding: .utf8)
            let error = #expect(throws: ImageError.self) { try ComponentScene.read(path) }
            #expect(error?.description.contains("component 1: index") == true)
            try "{".write(toFile: path, atomically: true, encoding: .utf8)
            #expect(throws: ImageError.self) { try ComponentScene.read(path) }
        }
    }
}

@Suite("Injection of simulated sources")
struct SimulationInjectionTests {
    private func blank(_ bands: [String] = ["r"], zero: String? = "22.5") -> Image {
        var header = FITSHeader()
        if let zero { header.set(.init("MAGZERO", value: zero)) }
        return Image(
            bands: bands, width: 200, height: 160,
            pixels: [Float](repeating: 0, count: bands.count * 200 * 160), header: header)
    }

    @Test("the added light is that of the truth at the image's zero point; stars stand where they should")
    func flux() throws {
        var injector = SourceInjector(seed: 4, count: 1, magnitudes: 19...20, starShare: 1)
        (injector.fwhm, injector.pixelScale, injector.position) = (1.1, 0.3, (90.4, 70.8))
        let result = try injector.inject(into: blank(zero: "25"))
        let star = try #require(result.sources.first)
        let flux = result.image.pixels.reduce(0.0) { $0 + Double($1) }
        #expect(abs(25 - 2.5 * log10(flux) - star.magnitudes[0]) < 0.005)
        var (x, y) = (0.0, 0.0)
        for (pixel, value) in result.image.pixels.enumerated() {
            x += Double(pixel % 200) * Double(value) / flux
            y += Double(pixel / 200) * Double(value) / flux
        }
        #expect(abs(x - 90.4) < 0.01 && abs(y - 70.8) < 0.01)
    }

    @Test("the PSF is measured where the header does not say it")
    func seeing() throws {
        var settings = FieldSettings().withoutArtefacts
        (settings.starDensity, settings.seeingFactor, settings.size) = (40, 1...1, 384)
        var image = FieldSimulator(seed: 1, settings: settings).field(0).image
        image.header.cards.removeAll { $0.keyword.hasPrefix("SEEING") }
        let field = FieldSimulator(seed: 1, settings: settings).field(0)
        let result = try SourceInjector(seed: 1, count: 2).inject(into: image)
        for (own, truth) in zip(result.seeing, field.seeing) {
            #expect(abs(own / truth - 1) < 0.15, "\(own), \(truth)")
        }
    }

    @Test("what is not known and not given is a named error; the same seed gives the same image")
    func problems() throws {
        var injector = SourceInjector(seed: 1, count: 3)
        #expect(throws: ImageError.self) { try injector.inject(into: blank()) }
        injector.pixelScale = 0.3
        #expect(throws: ImageError.self) { try injector.inject(into: blank()) }
        injector.fwhm = 1
        #expect(throws: ImageError.self) { try injector.inject(into: blank(zero: nil)) }
        let (first, again) = (try injector.inject(into: blank()), try injector.inject(into: blank()))
        #expect(first.image.pixels == again.image.pixels && first.sources.map(\.x) == again.sources.map(\.x))
        #expect(first.sources.count == 3)
    }
}
