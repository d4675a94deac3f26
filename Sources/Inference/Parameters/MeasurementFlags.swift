/// What to know about a measurement, as bits of the column `measure_flags`.
public struct MeasurementFlags: OptionSet, Sendable, Hashable {
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Neither a PSF nor its width is known: 1.2″, or 3 pixels where the pixel scale is not known either, were assumed.
    public static let assumedSeeing = MeasurementFlags(rawValue: 1)
    /// No zero point is known, so there are no magnitudes.
    public static let noZeroPoint = MeasurementFlags(rawValue: 2)
    /// No WCS: lengths are in pixels only, and position angles count from +y towards −x of the picture with its first row as
    /// its format has it.
    public static let noSky = MeasurementFlags(rawValue: 4)
    /// The noise was estimated from the pixels around the source.
    public static let estimatedNoise = MeasurementFlags(rawValue: 8)
    /// The sky was not subtracted from the image; its median at the border was.
    public static let subtractedSky = MeasurementFlags(rawValue: 16)
    /// The source reaches the border of the image.
    public static let cutByBorder = MeasurementFlags(rawValue: 32)
    /// Signal to noise below 5: the network's numbers are hardly more than what galaxies are like.
    public static let faint = MeasurementFlags(rawValue: 64)
    /// Intensities of a picture format, not fluxes.
    public static let lossy = MeasurementFlags(rawValue: 128)
    /// Pixels of the source are masked or no number.
    public static let maskedPixels = MeasurementFlags(rawValue: 256)

    /// The bits and their meaning, for the description of the column.
    public static let explanation =
        "1 assumed seeing, 2 no zero point, 4 no WCS, 8 estimated noise, 16 sky subtracted, 32 cut by the border, 64 faint, 128 picture format, 256 masked pixels"
}

/// Why an image could not be measured.
public struct MeasurementError: Error, Sendable, CustomStringConvertible {
    public let path: String
    public let reason: String

    public init(path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(reason)" }
}
