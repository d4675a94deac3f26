public import AstroIO
import Foundation
import ImageProcessing
import Tensors

/// Adds simulated stars and galaxies to a real image, so that it is known what a detection or a measurement should have found.
///
/// Sources stand anywhere (not on masked pixels), with magnitudes spread evenly over a range, which gives every part of a
/// completeness curve the same number. Their light goes through the image's PSF and is counted in its photons.
public struct SourceInjector: Sendable {
    public let seed: UInt64
    public var count: Int
    /// AB, in r (in the nearest of g, r and z for other bands).
    public var magnitudes: ClosedRange<Double>
    /// Share of stars among the sources.
    public var starShare: Double
    /// Kinds to take, evenly, with half-light radii of 2″; nil draws stars, and ellipticals and discs of the sizes that galaxies of their magnitudes have.
    public var kinds: [SourceKind]?
    /// Where all of them stand, in pixels; nil for anywhere.
    public var position: (x: Double, y: Double)?
    public var psf = PointSpread.Shape.moffat(beta: 3)
    /// FWHM of the PSF, arcsec; nil takes SEEING_<band>, SEEING or PSF_FWHM of the header, else measures it.
    public var fwhm: Double?
    /// AB magnitude of one unit of the image; nil takes MAGZERO, MAGZPT, PHOTZP or ZP of the header, or 22.5 for nanomaggies.
    public var zeroPoint: Double?
    /// Electrons a unit; nil takes GAIN_<band> or GAIN of the header. Without one no photon noise is added.
    public var gain: Double?
    /// Arcseconds a pixel; nil takes the WCS.
    public var pixelScale: Double?

    public init(
        seed: UInt64, count: Int = 100, magnitudes: ClosedRange<Double> = 18...25, starShare: Double = 0.3
    ) {
        self.seed = seed
        self.count = count
        self.magnitudes = magnitudes
        self.starShare = starShare
    }

    /// The image with sources, the truth about them, and what was used as PSF and zero point.
    public struct Result: Sendable {
        public var image: Image
        /// Magnitudes are those in the image's bands.
        public var sources: [SourceTruth]
        /// Arcsec, a number a band.
        public var seeing: [Double]
        public var zeroPoint: Double
    }

    /// - Parameter progress: called with the number of sources done; returning false stops after it.
    /// - Throws: `ImageError` (`content`) where scale, zero point or PSF are neither given nor to be found.
    public func inject(into image: Image, progress: (Int) -> Bool = { _ in true }) throws(ImageError) -> Result {
        let path = image.provenance.sources.first?.path ?? "image"
        guard image.sampleMaximum == nil, image.rowOrder == .bottomUp else {
            throw ImageError(.content, path: path, "is a picture: sources can be added to calibrated images only")
        }
        guard let scale = pixelScale ?? image.wcs?.pixelScaleArcsec, scale > 0.001, scale < 100 else {
            throw ImageError(.content, path: path, "has no pixel scale: give one")
        }
        guard let zero = zeroPoint ?? Self.headerZeroPoint(image) else {
            throw ImageError(.content, path: path, "has no zero point (MAGZERO, MAGZPT, PHOTZP, ZP): give one")
        }
        var seeing: [Double] = []
        for band in image.bands {
            guard let width = fwhm ?? Self.headerSeeing(image, band) ?? Self.measuredSeeing(image, band, scale: scale)
            else {
                throw ImageError(.content, path: path, "the PSF of \(band) cannot be measured: give its FWHM")
            }
            seeing.append(max(width, scale))
        }
        let gains = image.bands.map { band in
            gain ?? image.header.number("GAIN_" + band.uppercased()) ?? image.header.number("GAIN")
        }
        let renderer = SceneRenderer(
            pixelScale: scale, psf: psf, cellsPerPixel: (seeing.min() ?? scale) / scale >= 2 ? 2 : 4,
            largest: 2 * Self.farthest + 1)
        var kernels = SceneRenderer.Kernels([seeing.map { PointSpread(psf, fwhm: $0) }])
        let unit = pow(10, 0.4 * (zero - 22.5))
        // Light per square arcsecond of a 250th of a pixel's noise, in nanomaggies.
        let noise = image.bands.compactMap { image[band: $0].flatMap { SkyEstimate($0)?.noise } }.min() ?? 0
        let floor = Double(noise) / unit / 250 / (scale * scale)
        var result = Result(image: image, sources: [], seeing: seeing, zeroPoint: zero)
        for index in 0..<count {
            var random = RandomNumbers(seed: seed, stream: UInt64(index))
            guard let (x, y) = position ?? place(in: image, random: &random) else {
                throw ImageError(.content, path: path, "has no unmasked pixels to put sources on")
            }
            let model = model(&random)
            var components = model.components
            for i in components.indices { components[i].flux = Self.fluxes(model.components[i].flux, image.bands) }
            let total = Self.fluxes(model.flux, image.bands)
            let faintest = max(floor, 1e-8 * (total.max() ?? 0) / (scale * scale))
            var reach = total.indices.reduce(3 * (seeing.max() ?? 1)) { reach, band in
                max(reach, kernels.psfs[0][band].radius(ofIntensity: faintest / max(total[band], 1e-9)))
            }
            for component in components {
                reach = max(
                    reach, SceneRenderer.reach(component, faintest: faintest, cell: scale) + 2 * (seeing.max() ?? 1))
            }
            let pixels = min(Self.farthest, Int((reach / scale).rounded(.up)))
            let (column, row) = (Int(x.rounded()), Int(y.rounded()))
            let stamp = renderer.render(
                components, x: x, y: y, columns: column - pixels..<column + pixels + 1,
                rows: row - pixels..<row + pixels + 1, faintest: faintest, kernels: &kernels)
            Self.add(stamp, to: &result.image, unit: unit, gains: gains, random: &random)
            let sky = image.wcs?.pixelToSky(x: x, y: y)
            result.sources.append(
                SourceTruth(
                    id: index + 1, kind: model.kind, x: x, y: y, ra: sky?.ra ?? .nan, dec: sky?.dec ?? .nan,
                    magnitudes: total.map(SurveyBand.magnitude(flux:)), bulgeFraction: model.bulgeFraction,
                    halfLightRadius: model.halfLightRadius, sersicIndex: model.sersicIndex,
                    axisRatio: model.axisRatio, positionAngle: Self.skyAngle(model.positionAngle, image.wcs)))
            if !progress(index + 1) { break }
        }
        result.image.provenance.history.append("\(result.sources.count) simulated sources added, seed \(seed)")
        return result
    }

    // MARK: - Sources

    /// How many pixels from its centre the light of a source is added.
    private static let farthest = 256

    private func place(in image: Image, random: inout RandomNumbers) -> (x: Double, y: Double)? {
        for _ in 0..<1000 {
            let (x, y) = (
                random.between(-0.5, Double(image.width) - 0.5), random.between(-0.5, Double(image.height) - 0.5)
            )
            let pixel =
                min(image.height - 1, max(0, Int(y.rounded()))) * image.width
                + min(image.width - 1, max(0, Int(x.rounded())))
            if image.mask?[pixel].isEmpty ?? true, image.pixels[pixel].isFinite { return (x, y) }
        }
        return nil
    }

    private func model(_ random: inout RandomNumbers) -> GalaxyModel {
        let magnitude = random.between(magnitudes.lowerBound, magnitudes.upperBound)
        if let kinds, !kinds.isEmpty {
            return GalaxyModel(
                kind: kinds[random.integer(below: kinds.count)], magnitude: magnitude, size: 2, random: &random)
        }
        if random.uniform() < Float(starShare) {
            return GalaxyModel(kind: .star, magnitude: magnitude, size: 0, random: &random)
        }
        let size = min(8, max(0.08, 0.55 * pow(10, -0.11 * (magnitude - 23) + 0.2 * Double(random.normal()))))
        let kind: SourceKind = random.uniform() < 0.25 ? .elliptical : .disc
        return GalaxyModel(kind: kind, magnitude: magnitude, size: size, random: &random)
    }

    /// Fluxes in g, r, z as fluxes in the image's bands: bluer ones are taken as g, redder ones as z, i as between r and z.
    private static func fluxes(_ grz: [Double], _ bands: [String]) -> [Double] {
        bands.map { band in
            switch band.lowercased().first {
            case "u", "g", "b": grz[0]
            case "i": (grz[1] * grz[2]).squareRoot()
            case "z", "y", "j", "h", "k": grz[2]
            default: grz[1]
            }
        }
    }

    private static func add(
        _ stamp: SceneRenderer.Stamp, to image: inout Image, unit: Double, gains: [Double?],
        random: inout RandomNumbers
    ) {
        for (band, plane) in stamp.planes[0].enumerated() {
            for y in max(0, stamp.y)..<max(max(0, stamp.y), min(image.height, stamp.y + stamp.height)) {
                for x in max(0, stamp.x)..<max(max(0, stamp.x), min(image.width, stamp.x + stamp.width)) {
                    let flux = Double(plane[(y - stamp.y) * stamp.width + x - stamp.x]) * unit
                    guard flux > 0 else { continue }
                    let pixel = (band * image.height + y) * image.width + x
                    var variance = 0.0
                    if let gain = gains[band], gain > 0 { variance = flux / gain }
                    image.pixels[pixel] += Float(flux + variance.squareRoot() * Double(random.normal()))
                    image.variance?[pixel] += Float(variance)
                }
            }
        }
    }

    private static func skyAngle(_ pixelAngle: Double, _ wcs: WCS?) -> Double {
        guard let wcs else { return pixelAngle }
        let turned = wcs.isSkyParity ? pixelAngle - wcs.rotationDegrees : wcs.rotationDegrees - pixelAngle
        let angle = turned.truncatingRemainder(dividingBy: 180)
        return angle < 0 ? angle + 180 : angle
    }

    // MARK: - What the image says

    private static func headerZeroPoint(_ image: Image) -> Double? {
        for keyword in ["MAGZERO", "MAGZPT", "PHOTZP", "MAGZP", "ZP"] {
            if let value = image.header.number(keyword), (-10...60).contains(value) { return value }
        }
        return image.unit?.lowercased().hasPrefix("nanomagg") == true ? 22.5 : nil
    }

    private static func headerSeeing(_ image: Image, _ band: String) -> Double? {
        ["SEEING_" + band.uppercased(), "SEEING", "PSF_FWHM"].compactMap { image.header.number($0) }.first { $0 > 0 }
    }

    /// The width of the most compact bright sources: of each local maximum above 30 σ, the circle with the area that is above
    /// half of its peak; of these the lower fifth, where stars are.
    static func measuredSeeing(_ image: Image, _ band: String, scale: Double) -> Double? {
        guard let plane = image[band: band], image.width > 24, image.height > 24, let sky = SkyEstimate(plane),
            sky.noise > 0
        else { return nil }
        let start = plane.startIndex
        func value(_ x: Int, _ y: Int) -> Float { plane[start + y * image.width + x] - sky.level }
        var peaks: [(Float, Int, Int)] = []
        for y in 10..<image.height - 10 {
            for x in 10..<image.width - 10 {
                let v = value(x, y)
                guard v > 30 * sky.noise, v.isFinite, image.mask?[start + y * image.width + x].isEmpty ?? true
                else { continue }
                if (-2...2).allSatisfy({ j in (-2...2).allSatisfy { i in value(x + i, y + j) <= v } }) {
                    peaks.append((v, x, y))
                }
            }
        }
        // The brightest may be saturated.
        let bright = peaks.sorted { $0.0 > $1.0 }.dropFirst(peaks.count / 20).prefix(400)
        let widths = bright.map { peak, x, y in
            var area = 0.0
            for j in -9..<9 {
                for i in -9..<9 {
                    // A quarter of each of four subpixels, by linear interpolation between pixel centres.
                    for (fx, fy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] as [(Float, Float)] {
                        let low = value(x + i, y + j) * (1 - fx) + value(x + i + 1, y + j) * fx
                        let high = value(x + i, y + j + 1) * (1 - fx) + value(x + i + 1, y + j + 1) * fx
                        if low * (1 - fy) + high * fy > peak / 2 { area += 0.25 }
                    }
                }
            }
            return 2 * (area / .pi).squareRoot() * scale
        }.sorted()
        guard widths.count >= 3 else { return nil }
        return widths[widths.count / 5]
    }
}
