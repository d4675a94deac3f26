import AstroIO
import Foundation
import Tensors

/// Makes fields of the sky as a survey sees them, with the truth about every source and every pixel.
///
/// Field number i of a seed is the same however many are made, in whichever order and on how many threads.
///
///     let simulator = FieldSimulator(seed: 1)
///     let field = simulator.field(0)
///     print(field.sources.count, field.image.maskFraction)
public struct FieldSimulator: Sendable {
    public let seed: UInt64
    public let settings: FieldSettings
    private let renderer: SceneRenderer
    /// Pixels around the field whose sources are drawn as well: 8″.
    private let margin: Int

    /// - Parameter settings: `settings.problem` must be nil.
    public init(seed: UInt64, settings: FieldSettings = FieldSettings()) {
        precondition(settings.problem == nil, "[FieldSimulator] \(settings.problem ?? "")")
        self.seed = seed
        self.settings = settings
        margin = min(64, max(8, Int(8 / settings.pixelScale)))
        var narrowest = (settings.bands.map(\.seeing).min() ?? 1) * settings.seeingFactor.lowerBound
        if let sharp = settings.sharpFWHM { narrowest = min(narrowest, sharp) }
        // A cell is to be a quarter of the PSF's width at most.
        let cells = narrowest / settings.pixelScale >= 2 ? 2 : 4
        renderer = SceneRenderer(
            pixelScale: settings.pixelScale, psf: settings.psf, cellsPerPixel: cells,
            largest: settings.size + 2 * margin)
    }

    /// Field number `index`, from 0.
    public func field(_ index: Int) -> SimulatedField {
        var random = RandomNumbers(seed: seed, stream: UInt64(index))
        let blur = random.between(settings.seeingFactor.lowerBound, settings.seeingFactor.upperBound)
        let seeing = settings.bands.map { $0.seeing * blur * random.between(0.95, 1.05) }
        let depth =
            settings.depth.lowerBound
            * pow(settings.depth.upperBound / settings.depth.lowerBound, random.between(0, 1))
        let (ra, dec) = (random.between(149.4, 150.8), random.between(1.5, 2.9))
        var header = header(ra: ra, dec: dec)
        let wcs = try? WCS(header: header, path: "simulation")
        let camera = FieldCamera(settings: settings, depth: depth, seeing: seeing)
        let population = SourcePopulation(settings: settings).sources(margin: Double(margin), random: &random)
        var canvas = FieldCanvas(settings: settings, noise: camera.skyNoise)
        var psfs = [seeing.map { PointSpread(settings.psf, fwhm: $0) }]
        if let sharp = settings.sharpFWHM {
            psfs.append(seeing.map { PointSpread(settings.psf, fwhm: min(sharp, $0)) })
        }
        var kernels = SceneRenderer.Kernels(psfs)
        var truths: [SourceTruth] = []
        for source in population {
            guard let light = draw(source, faintest: camera.faintest, kernels: &kernels) else { continue }
            let truth = truth(source, id: truths.count + 1, wcs: wcs)
            canvas.add(light, number: truth.id, cellsPerPixel: renderer.cellsPerPixel)
            truths.append(truth)
        }
        canvas.finish(&truths)
        let exposure = camera.expose(canvas.noiseless, random: &random)
        for (band, fwhm) in zip(settings.bands, seeing) {
            let name = band.name.uppercased()
            header.set(Self.number("SEEING_" + name, fwhm, "[arcsec] FWHM of the PSF"))
            header.set(Self.number("GAIN_" + name, band.gain * depth, "electrons a nanomaggy"))
            header.set(
                Self.number("SKY_" + name, band.sky(pixelScale: settings.pixelScale), "[nanomaggy/pixel] subtracted"))
        }
        let image = Image(
            bands: settings.bands.map(\.name), width: settings.size, height: settings.size, pixels: exposure.pixels,
            mask: exposure.mask, variance: exposure.variance, rowOrder: .bottomUp, wcs: wcs, header: header,
            unit: "nanomaggy")
        return SimulatedField(
            image: image, noiseless: canvas.noiseless, sharp: canvas.sharp, fine: canvas.fine,
            segmentation: canvas.owners, sources: truths, artefacts: exposure.artefacts, seeing: seeing, depth: depth)
    }

    // MARK: - Parts

    /// The light of a source where it reaches the field; nil where none does.
    private func draw(
        _ source: SourcePopulation.Source, faintest: Double, kernels: inout SceneRenderer.Kernels
    ) -> SceneRenderer.Stamp? {
        let brightest = source.model.flux.max() ?? 0
        let cell = settings.pixelScale / Double(renderer.cellsPerPixel)
        var reach = 0.0
        for component in source.model.components {
            reach = max(reach, SceneRenderer.reach(component, faintest: faintest, cell: cell))
        }
        let blurred = kernels.psfs[0].map { $0.radius(ofIntensity: faintest / max(brightest, 1e-9)) }.max() ?? 0
        let pixels = max(6, (reach + max(blurred, 2 * (kernels.psfs[0].map(\.fwhm).max() ?? 1))) / settings.pixelScale)
        func range(_ centre: Double) -> Range<Int>? {
            let low = max(Int((centre - pixels).rounded(.down)), -margin)
            let high = min(Int((centre + pixels).rounded(.up)) + 1, settings.size + margin)
            return low < settings.size && high > 0 && high - low > 1 ? low..<high : nil
        }
        guard let columns = range(source.x), let rows = range(source.y) else { return nil }
        return renderer.render(
            source.model.components, x: source.x, y: source.y, columns: columns, rows: rows, faintest: faintest,
            finer: settings.fineFactor == 2, kernels: &kernels)
    }

    private func truth(_ source: SourcePopulation.Source, id: Int, wcs: WCS?) -> SourceTruth {
        let model = source.model
        let sky = wcs?.pixelToSky(x: source.x, y: source.y)
        return SourceTruth(
            id: id, kind: model.kind, x: source.x, y: source.y, ra: sky?.ra ?? .nan, dec: sky?.dec ?? .nan,
            magnitudes: model.magnitudes, bulgeFraction: model.bulgeFraction, halfLightRadius: model.halfLightRadius,
            sersicIndex: model.sersicIndex, axisRatio: model.axisRatio, positionAngle: model.positionAngle)
    }

    private static func number(_ keyword: String, _ value: Double, _ comment: String? = nil) -> FITSHeader.Card {
        .init(keyword, value: String(describing: value), comment: comment)
    }

    private func header(ra: Double, dec: Double) -> FITSHeader {
        func text(_ keyword: String, _ value: String, _ comment: String? = nil) -> FITSHeader.Card {
            .init(keyword, value: value, isText: true, comment: comment)
        }
        let centre = Double(settings.size) / 2 + 0.5
        let scale = settings.pixelScale / 3600
        return FITSHeader(cards: [
            text("CTYPE1", "RA---TAN"), text("CTYPE2", "DEC--TAN"), text("CUNIT1", "deg"), text("CUNIT2", "deg"),
            Self.number("CRVAL1", ra), Self.number("CRVAL2", dec), Self.number("CRPIX1", centre),
            Self.number("CRPIX2", centre), Self.number("CD1_1", -scale), Self.number("CD1_2", 0),
            Self.number("CD2_1", 0), Self.number("CD2_2", scale), text("RADESYS", "ICRS"),
            Self.number("MAGZERO", 22.5, "AB magnitude of 1 nanomaggy"),
            text("ORIGIN", "simulation", "no telescope was involved"), .init("SEED", value: String(seed)),
        ])
    }
}
