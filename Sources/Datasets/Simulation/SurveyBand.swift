import Foundation

/// One band of a simulated survey: what the sky and the camera do to the light.
///
/// Fluxes are nanomaggies: AB magnitude = 22.5 − 2.5 log₁₀ flux.
public struct SurveyBand: Sendable, Codable, Equatable {
    public var name: String
    /// Full width at half maximum of the point-spread function, arcsec.
    public var seeing: Double
    /// Surface brightness of the night sky, AB magnitudes a square arcsecond.
    public var skyBrightness: Double
    /// Photo-electrons a nanomaggy over the whole exposure.
    public var gain: Double
    /// Electrons a pixel.
    public var readNoise: Double

    public init(name: String, seeing: Double, skyBrightness: Double, gain: Double, readNoise: Double) {
        self.name = name
        self.seeing = seeing
        self.skyBrightness = skyBrightness
        self.gain = gain
        self.readNoise = readNoise
    }

    /// Like the Legacy Surveys' exposures with DECam: g, r, z.
    public static let legacy: [SurveyBand] = [
        .init(name: "g", seeing: 1.35, skyBrightness: 22.0, gain: 2400, readNoise: 7),
        .init(name: "r", seeing: 1.2, skyBrightness: 21.1, gain: 2800, readNoise: 7),
        .init(name: "z", seeing: 1.1, skyBrightness: 19.0, gain: 2600, readNoise: 7),
    ]

    /// The sky's light in a pixel, nanomaggies.
    func sky(pixelScale: Double) -> Double { Self.flux(magnitude: skyBrightness) * pixelScale * pixelScale }

    public static func flux(magnitude: Double) -> Double { pow(10, (22.5 - magnitude) / 2.5) }
    public static func magnitude(flux: Double) -> Double { 22.5 - 2.5 * log10(flux) }
}
