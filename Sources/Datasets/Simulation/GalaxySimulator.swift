public import AstroIO
import Foundation
import Tensors

/// Makes stamps of galaxies as a survey would see them, with the truth about each.
///
/// A galaxy is a Sérsic bulge and an exponential disc, some with spiral arms; beside it stand stars and faint galaxies.
/// All of it goes through a Moffat PSF and the pixels; the sky's light is added, counted as electrons with Poisson and read
/// noise, and subtracted again as a survey pipeline does. A share of the objects is unusual, so that there is something to find.
/// Object number i of a seed is the same however many are made.
public struct GalaxySimulator: Sendable {
    /// What an object is.
    public enum Kind: String, Sendable, CaseIterable {
        case elliptical, disc, spiral
        case edgeOn = "edge_on"
        case ring, merger, lens, trail, irregular

        public var isUnusual: Bool { [.ring, .merger, .lens, .trail, .irregular].contains(self) }
    }

    /// What is true of an object. Magnitudes are AB, of the galaxy without its neighbours.
    public struct Truth: Sendable, Equatable {
        public var id: String
        public var kind: Kind
        /// Position of the galaxy's centre, ICRS degrees.
        public var ra: Double
        public var dec: Double
        /// In the simulator's bands.
        public var magnitudes: [Double]
        /// Bulge's share of the light in the middle band.
        public var bulgeFraction: Double
        /// Half-light radius along the major axis of the disc (of the whole for an elliptical), arcsec.
        public var halfLightRadius: Double
        /// Sérsic index of the bulge (of the whole for an elliptical); the disc's is 1.
        public var sersicIndex: Double
        /// Minor over major axis of the disc (of the whole for an elliptical).
        public var axisRatio: Double
        /// Of the major axis, degrees from north through east, 0 … 180.
        public var positionAngle: Double
        /// Full width at half maximum of the PSF in the bands, arcsec.
        public var seeing: [Double]
    }

    public struct Object: Sendable {
        public var truth: Truth
        /// The bands in nanomaggies, with TAN WCS, the first row at the bottom; sky subtracted.
        public var image: Image
    }

    public let seed: UInt64
    /// Side of a stamp, pixels; even.
    public let size: Int
    /// Arcseconds a pixel.
    public let pixelScale: Double
    public let bands: [SurveyBand]
    /// Share of the objects that are unusual.
    public let unusualShare: Float
    private let renderer: SceneRenderer

    public init(
        seed: UInt64, size: Int = 96, pixelScale: Double = 0.262, bands: [SurveyBand] = SurveyBand.legacy,
        unusualShare: Float = 0.08
    ) {
        precondition(
            size >= 16 && size.isMultiple(of: 2), "[GalaxySimulator] expected an even size of at least 16, got \(size)")
        precondition(bands.count == 3 && pixelScale > 0, "[GalaxySimulator] expected three bands")
        self.seed = seed
        self.size = size
        self.pixelScale = pixelScale
        self.bands = bands
        self.unusualShare = unusualShare
        renderer = SceneRenderer(pixelScale: pixelScale, largest: size + 32)
    }

    /// Object number `index`.
    public func object(_ index: Int) -> Object {
        var random = RandomNumbers(seed: seed, stream: UInt64(index))
        var scene = GalaxyScene(kind: kind(&random), fieldSide: Double(size) * pixelScale, random: &random)
        scene.addNeighbours(random: &random)
        let seeing = bands.map { $0.seeing * Double(random.uniform(0.9, 1.15)) }
        let light = renderer.render(scene.components, size: size, psfs: seeing.map { PointSpread(fwhm: $0) })
        let (ra, dec) = (Double(random.uniform(149.4, 150.8)), Double(random.uniform(1.5, 2.9)))
        let truth = Truth(
            id: "sim-" + String(repeating: "0", count: max(0, 5 - String(index + 1).count)) + String(index + 1),
            kind: scene.kind, ra: ra, dec: dec, magnitudes: scene.galaxyFlux.map(SurveyBand.magnitude(flux:)),
            bulgeFraction: scene.bulgeFraction, halfLightRadius: scene.halfLightRadius, sersicIndex: scene.sersicIndex,
            axisRatio: scene.axisRatio, positionAngle: scene.positionAngle, seeing: seeing)
        var pixels: [Float] = []
        for (plane, band) in zip(light, bands) { pixels += observed(plane, band, random: &random) }
        let header = header(truth)
        let image = Image(
            bands: bands.map(\.name), width: size, height: size, pixels: pixels, rowOrder: .bottomUp,
            wcs: try? WCS(header: header, path: truth.id), header: header, unit: "nanomaggy")
        return Object(truth: truth, image: image)
    }

    // MARK: - Parts

    private func kind(_ random: inout RandomNumbers) -> Kind {
        if random.uniform() < unusualShare {
            let unusual = Kind.allCases.filter(\.isUnusual)
            return unusual[random.integer(below: unusual.count)]
        }
        let number = random.uniform()
        return number < 0.42 ? .spiral : number < 0.68 ? .elliptical : number < 0.88 ? .disc : .edgeOn
    }

    /// Electrons are counted: Poisson noise of sky and source, read noise; then the known sky is subtracted.
    private func observed(_ light: [Float], _ band: SurveyBand, random: inout RandomNumbers) -> [Float] {
        let sky = band.sky(pixelScale: pixelScale)
        return light.map { flux in
            let expected = max(0, (Double(flux) + sky) * band.gain)
            let electrons = Double(random.poisson(mean: expected)) + band.readNoise * Double(random.normal())
            return Float(electrons / band.gain - sky)
        }
    }

    private func header(_ truth: Truth) -> FITSHeader {
        func number(_ keyword: String, _ value: Double, _ comment: String? = nil) -> FITSHeader.Card {
            .init(keyword, value: String(describing: value), comment: comment)
        }
        func text(_ keyword: String, _ value: String, _ comment: String? = nil) -> FITSHeader.Card {
            .init(keyword, value: value, isText: true, comment: comment)
        }
        let centre = Double(size) / 2 + 0.5
        var cards = [
            text("OBJECT", truth.id), text("CTYPE1", "RA---TAN"), text("CTYPE2", "DEC--TAN"), text("CUNIT1", "deg"),
            text("CUNIT2", "deg"), number("CRVAL1", truth.ra), number("CRVAL2", truth.dec), number("CRPIX1", centre),
            number("CRPIX2", centre), number("CD1_1", -pixelScale / 3600), number("CD1_2", 0), number("CD2_1", 0),
            number("CD2_2", pixelScale / 3600), text("RADESYS", "ICRS"),
            number("MAGZERO", 22.5, "AB magnitude of 1 nanomaggy"),
            text("ORIGIN", "simulation", "no telescope was involved"),
            .init("SEED", value: String(seed)),
        ]
        for (index, band) in bands.enumerated() {
            let name = band.name.uppercased()
            cards.append(
                number("SEEING_" + name, (truth.seeing[index] * 1000).rounded() / 1000, "[arcsec] FWHM, Moffat beta 3"))
            cards.append(number("GAIN_" + name, band.gain, "electrons a nanomaggy"))
            cards.append(number("SKY_" + name, band.sky(pixelScale: pixelScale), "[nanomaggy/pixel] subtracted"))
        }
        return FITSHeader(cards: cards)
    }
}

extension RandomNumbers {
    /// A Poisson number: Knuth's product for small means, a rounded normal number for large ones, where it is as good.
    mutating func poisson(mean: Double) -> Int {
        guard mean < 50 else { return max(0, Int((mean + mean.squareRoot() * Double(normal())).rounded())) }
        let limit = exp(-mean)
        var (count, product) = (0, Double(uniform()))
        while product > limit {
            count += 1
            product *= Double(uniform())
        }
        return count
    }
}
