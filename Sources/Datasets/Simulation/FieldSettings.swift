/// What a simulated field of the sky is like. Ranges are drawn from anew for each field.
public struct FieldSettings: Sendable, Codable, Equatable {
    /// Side in pixels.
    public var size = 256
    /// Arcseconds a pixel.
    public var pixelScale = 0.262
    /// g, r and z with their seeing, sky and gain at depth 1.
    public var bands = SurveyBand.legacy
    /// Galaxies a square arcminute brighter than r = 24.
    public var galaxyDensity = 25.0
    /// Stars a square arcminute brighter than r = 24.
    public var starDensity = 2.0
    /// Both densities are multiplied by a number from this range, log-uniform.
    public var densityFactor = 0.5...2.0
    /// r of galaxies of the field, down to far below the detection limit.
    public var magnitudes = 15.0...26.0
    /// Mean number, in 256 × 256 pixels of 0.262″, of galaxies added to those of the counts that are large enough to show
    /// structure.
    public var resolvedGalaxies = 2.0
    /// Share of the galaxies that are put close to another source, so that they blend.
    public var companionShare = 0.2
    public var psf = PointSpread.Shape.moffat(beta: 3)
    /// The bands' seeing is multiplied by a number from this range.
    public var seeingFactor = 0.8...1.3
    /// Exposure in units of the bands' own, log-uniform: noise falls as its square root.
    public var depth = 0.5...3.0
    /// r of a star whose brightest pixel saturates at typical seeing; nil for a camera without limit.
    public var saturationMagnitude: Double? = 16.5
    /// Cosmic rays a megapixel and band.
    public var cosmicRays = 40.0
    /// Share of the fields that a satellite crosses, in one band.
    public var trails = 0.08
    /// Bad columns in a thousand, in each band.
    public var badColumns = 1.5
    /// Where a pixel belongs to a source: noiseless light, as the mean over the bands in units of the sky's noise.
    public var segmentationThreshold = 0.75
    /// FWHM, arcsec, of a narrower PSF through which the same light is to be drawn as well.
    public var sharpFWHM: Double?
    /// 2 draws the sharp light (or, without `sharpFWHM`, the light at the seeing) on a grid of half the pixel's side as well.
    public var fineFactor = 1

    public init() {}

    /// A sky without artefacts, with everything else as it is.
    public var withoutArtefacts: FieldSettings {
        var settings = self
        (settings.saturationMagnitude, settings.cosmicRays, settings.trails, settings.badColumns) = (nil, 0, 0, 0)
        return settings
    }

    /// What is wrong with the settings, in words; nil where nothing is.
    public var problem: String? {
        func isGood(_ range: ClosedRange<Double>, from low: Double, to high: Double) -> Bool {
            range.lowerBound >= low && range.upperBound <= high
        }
        if !(32...4096).contains(size) { return "size: expected 32 … 4096 pixels, got \(size)" }
        if !(0.01...10).contains(pixelScale) { return "pixelScale: expected 0.01 … 10 arcsec, got \(pixelScale)" }
        if bands.count != 3 { return "bands: expected three (g, r, z), got \(bands.count)" }
        if let band = bands.first(where: { !($0.seeing > 0 && $0.gain > 0 && $0.readNoise >= 0) }) {
            return "band \(band.name): expected seeing and gain above 0 and read noise from 0"
        }
        if !(0...1000).contains(galaxyDensity) || !(0...1000).contains(starDensity) {
            return "densities: expected 0 … 1000 a square arcminute"
        }
        if !isGood(densityFactor, from: 0.001, to: 100) { return "densityFactor: expected 0.001 … 100" }
        if !isGood(magnitudes, from: 10, to: 30) { return "magnitudes: expected 10 … 30" }
        if !isGood(seeingFactor, from: 0.1, to: 10) { return "seeingFactor: expected 0.1 … 10" }
        if !isGood(depth, from: 1e-4, to: 1e6) { return "depth: expected 0.0001 … 1 000 000" }
        if !(0...100).contains(resolvedGalaxies) { return "resolvedGalaxies: expected 0 … 100" }
        if !(0...1).contains(companionShare) || !(0...1).contains(trails) {
            return "companionShare, trails: expected 0 … 1"
        }
        if !(0...1e5).contains(cosmicRays) || !(0...500).contains(badColumns) {
            return "cosmicRays, badColumns: expected 0 … 100 000 and 0 … 500"
        }
        if !(segmentationThreshold > 0) { return "segmentationThreshold: expected a number above 0" }
        if let sharpFWHM, !(sharpFWHM >= pixelScale) {
            return "sharpFWHM: expected at least a pixel (\(pixelScale) arcsec), got \(sharpFWHM)"
        }
        if fineFactor != 1 && fineFactor != 2 { return "fineFactor: expected 1 or 2, got \(fineFactor)" }
        if case .moffat(let beta) = psf, !(1.5...10).contains(beta) {
            return "psf: expected β of 1.5 … 10, got \(beta)"
        }
        return nil
    }
}
