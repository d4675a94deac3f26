import AstroIO
import Foundation
import Tensors

/// Turns light into an exposure: photons and electrons are counted, and the camera's defects are added.
struct FieldCamera {
    let settings: FieldSettings
    /// The bands with the gain of this exposure.
    let bands: [SurveyBand]
    let seeing: [Double]
    /// Standard deviation of a pixel without source, nanomaggies.
    let skyNoise: [Float]
    /// Light per square arcsecond that is nowhere more than 1/250 of the noise of a pixel.
    let faintest: Double

    struct Exposure {
        var pixels: [Float] = []
        var variance: [Float] = []
        var mask: [PixelMask] = []
        var artefacts: [ArtefactTruth] = []
    }

    init(settings: FieldSettings, depth: Double, seeing: [Double]) {
        self.settings = settings
        self.seeing = seeing
        bands = settings.bands.map {
            var band = $0
            band.gain *= depth
            // Exposures are added, each with its read-out.
            band.readNoise *= depth.squareRoot()
            return band
        }
        let (bands, scale) = (bands, settings.pixelScale)
        skyNoise = bands.map {
            Float(($0.sky(pixelScale: scale) * $0.gain + $0.readNoise * $0.readNoise).squareRoot() / $0.gain)
        }
        faintest = Double(skyNoise.min() ?? 0) / 250 / (scale * scale)
    }

    /// - Parameter light: bands × size × size.
    func expose(_ light: [Float], random: inout RandomNumbers) -> Exposure {
        var result = Exposure()
        let planeSize = settings.size * settings.size
        let trail = random.uniform() < Float(settings.trails) ? random.integer(below: bands.count) : nil
        for band in bands.indices {
            var plane = DetectorPlane(
                size: settings.size, light: Array(light[band * planeSize..<(band + 1) * planeSize]), band: band,
                noise: skyNoise[band])
            if trail == band { plane.addTrail(fwhm: seeing[band] / settings.pixelScale, random: &random) }
            let mean = settings.cosmicRays * Double(planeSize) / 1e6
            for _ in 0..<random.poisson(mean: mean) { plane.addCosmicRay(random: &random) }
            plane.count(bands[band], sky: bands[band].sky(pixelScale: settings.pixelScale), random: &random)
            if let magnitude = settings.saturationMagnitude {
                // The brightest pixel of such a star at the band's typical seeing.
                let peak = PointSpread(settings.psf, fwhm: settings.bands[band].seeing).intensity(squaredRadius: 0)
                plane.saturate(
                    at: Float(
                        SurveyBand.flux(magnitude: magnitude) * peak * settings.pixelScale * settings.pixelScale))
            }
            let columns = settings.badColumns * Double(settings.size) / 1000
            for _ in 0..<random.poisson(mean: columns) { plane.spoilColumn(random: &random) }
            result.pixels += plane.pixels
            result.variance += plane.variance
            result.mask += plane.mask
            result.artefacts += plane.artefacts
        }
        return result
    }
}
