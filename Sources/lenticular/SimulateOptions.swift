import ArgumentParser
import Datasets

/// What simulated fields are like.
struct FieldOptions: ParsableArguments {
    @Option(help: "Number of fields to make, instead of stamps.")
    var fields: Int?

    @Option(help: "Side of a field in pixels.")
    var fieldSize = 256

    @Option(help: "Density of galaxies and stars in units of a deep survey's (25 and 2 a square arcminute at r < 24).")
    var density: Double?

    @Option(help: "Stars a square arcminute at r < 24.")
    var stars: Double?

    @Option(help: "FWHM of the PSF in r, arcsec; the other bands keep their ratio.")
    var seeing: Double?

    @Option(help: "Exposure in units of the Legacy Surveys': noise falls as its square root.")
    var depth: Double?

    @Option(help: "Moffat's β; 0 for a Gaussian PSF.")
    var beta = 3.0

    @Option(help: "r of the faintest galaxies.")
    var faintest = 26.0

    @Option(help: "Mean number of well-resolved galaxies added in 67″ × 67″.")
    var resolved: Double?

    @Option(help: "Cosmic rays a megapixel and band.")
    var cosmicRays: Double?

    @Option(help: "Share of the fields that a satellite crosses.")
    var trails: Double?

    @Option(help: "Bad columns in a thousand.")
    var badColumns: Double?

    @Option(help: "r of stars that begin to saturate.")
    var saturation: Double?

    @Flag(help: "No saturation, cosmic rays, trails and bad columns.")
    var noArtefacts = false

    func settings(pixelScale: Double?) throws -> FieldSettings {
        if let fields, !(1...1_000_000).contains(fields) { throw ValidationError("--fields: expected 1 … 1 000 000") }
        if !(12...30).contains(faintest) { throw ValidationError("--faintest: expected 12 … 30") }
        for (name, value) in [("--density", density), ("--depth", depth), ("--seeing", seeing)] {
            if let value, !(value > 0 && value.isFinite) { throw ValidationError("\(name): expected a number above 0") }
        }
        var settings = FieldSettings()
        if noArtefacts { settings = settings.withoutArtefacts }
        settings.size = fieldSize
        settings.pixelScale = pixelScale ?? settings.pixelScale
        if let density { settings.densityFactor = density...density }
        settings.starDensity = stars ?? settings.starDensity
        if let seeing {
            let factor = seeing / settings.bands[1].seeing
            settings.seeingFactor = factor...factor
        }
        if let depth { settings.depth = depth...depth }
        settings.psf = beta == 0 ? .gaussian : .moffat(beta: beta)
        settings.magnitudes = min(15, faintest)...faintest
        settings.resolvedGalaxies = resolved ?? settings.resolvedGalaxies
        settings.cosmicRays = cosmicRays ?? settings.cosmicRays
        settings.trails = trails ?? settings.trails
        settings.badColumns = badColumns ?? settings.badColumns
        settings.saturationMagnitude = saturation ?? settings.saturationMagnitude
        return settings
    }
}

/// Where simulated sources are added, and how.
struct InjectionOptions: ParsableArguments {
    @Option(help: "Real image (FITS) to add sources to.")
    var inject: String?

    @Option(help: "Its image extension by name or number.")
    var hdu: String?

    @Option(help: "Magnitudes of the sources: brightest,faintest; they are spread evenly.")
    var magnitudes = "18,25"

    @Option(help: "Share of stars.")
    var starShare = 0.3

    @Option(help: "FWHM of the PSF, arcsec; from the header or measured when not given.")
    var fwhm: Double?

    @Option(help: "AB magnitude of one unit of the image; from the header when not given.")
    var zeroPoint: Double?

    @Option(help: "Electrons a unit, for the photon noise of the sources; from the header when not given.")
    var gain: Double?

    var range: ClosedRange<Double> {
        get throws {
            let numbers = magnitudes.split(separator: ",").compactMap { Double($0) }
            guard numbers.count == 2, numbers[0] < numbers[1], numbers[0] > -10, numbers[1] < 40 else {
                throw ValidationError("--magnitudes: expected two numbers such as 20,25, got '\(magnitudes)'")
            }
            return numbers[0]...numbers[1]
        }
    }

    func validate() throws {
        _ = try range
        if !(0...1).contains(starShare) { throw ValidationError("--star-share: expected 0 … 1") }
        if let fwhm, !(fwhm > 0 && fwhm < 1000) { throw ValidationError("--fwhm: expected arcseconds above 0") }
        if let gain, !(gain > 0) { throw ValidationError("--gain: expected a number above 0") }
        if let zeroPoint, !(-10...60).contains(zeroPoint) { throw ValidationError("--zero-point: expected -10 … 60") }
    }
}
