import Foundation
import Tensors

/// What the atmosphere, the camera and the survey do to a scene: drawn at random for each training sample, or set.
public struct ObservationSettings: Sendable, Codable, Equatable {
    /// Full width at half maximum of the PSF in pixels, the pixel's own width included.
    public var fwhm: Double
    /// β of the Moffat function.
    public var beta: Double
    /// Full width at half maximum of the PSF that is wanted, a Gaussian; nil keeps the PSF.
    public var targetFWHM: Double?
    /// Standard deviation of the sky's noise, nanomaggies a pixel.
    public var skyNoise: Float
    /// Electrons a nanomaggy: sources have Poisson noise.
    public var gain: Float
    /// Shares of neighbouring pixels in the noise, as a resampled image has them; 0 for independent pixels.
    public var correlation: SIMD2<Float>
    /// Whether the restorer is told the noise of each pixel, and not only that of the sky.
    public var knowsVariance: Bool
    /// Level and slopes of what is left of the sky, in σ; slopes over the whole stamp.
    public var sky: SIMD3<Float>
    /// Cosmic rays on a stamp, on average.
    public var cosmicRays: Float
    public var trails: Int
    /// Single pixels that are cold or hot.
    public var oddPixels: Int
    public var badColumns: Int
    public var holes: Int
    /// Whether artefacts are in the mask; else they are to be found.
    public var masksArtefacts: Bool
    /// Pixels above so many σ are saturated: cut there and masked; nil for none.
    public var saturation: Float?

    /// A clean observation.
    public init(fwhm: Double, beta: Double = 3, targetFWHM: Double? = nil, skyNoise: Float, gain: Float) {
        self.fwhm = fwhm
        self.beta = beta
        self.targetFWHM = targetFWHM
        self.skyNoise = skyNoise
        self.gain = gain
        (correlation, sky) = (.zero, .zero)
        (knowsVariance, masksArtefacts) = (true, true)
        (cosmicRays, trails, oddPixels, badColumns, holes) = (0, 0, 0, 0, 0)
        saturation = nil
    }

    /// The ranges of surveys: seeing of 1.8 … 6.5 pixels, and noise from one short exposure to a deep coadd.
    public init(drawnFrom random: inout RandomNumbers) {
        func between(_ low: Float, _ high: Float) -> Float { random.uniform(low, high) }
        func happens(_ probability: Float) -> Bool { random.uniform() < probability }
        let width = 1.8 * pow(3.6, Double(random.uniform()))
        let changes = happens(0.5) && width > 2.2
        self.init(
            fwhm: width, beta: Double(between(2.3, 5)),
            targetFWHM: changes ? max(1.6, width * Double(between(0.4, 0.8))) : nil,
            skyNoise: 0.0025 * pow(24, random.uniform()), gain: 300 * pow(30, random.uniform()))
        if happens(0.3) { correlation = [between(0, 0.5), between(0, 0.5)] }
        knowsVariance = happens(0.5)
        sky = [between(-0.4, 0.4), between(-0.4, 0.4), between(-0.4, 0.4)]
        if happens(0.6) { cosmicRays = between(0.5, 5) }
        trails = happens(0.12) ? 1 : 0
        oddPixels = happens(0.25) ? 1 + random.integer(below: 12) : 0
        badColumns = happens(0.08) ? 1 + random.integer(below: 2) : 0
        holes = happens(0.25) ? 1 + random.integer(below: 4) : 0
        masksArtefacts = happens(0.4)
        if happens(0.12) { saturation = 80 * pow(20, random.uniform()) }
    }
}
