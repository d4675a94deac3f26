public import Datasets
public import ImageProcessing

/// How images become stamps for the auto-encoders: 64 × 64 pixels, the brightness at the wavelengths of g, r and i, each brought to
/// mean 0 and standard deviation 1 over the stamps that the network is trained on.
public enum AutoencoderStamps {
    /// Side, pixels.
    public static let size = 64

    /// Wavelengths of the channels, nm: those of the backbone's stamps.
    public static let spectrum = SpectralGrid(wavelengths: [480, 625, 770])

    /// Brightness as it is, before anything is known of its mean and deviation.
    public static func raw(crop: StampNormalization.Crop = .fraction(1)) -> StampNormalization {
        StampNormalization(
            size: size, crop: crop, spectrum: spectrum, mean: [Float](repeating: 0, count: spectrum.count),
            deviation: [Float](repeating: 1, count: spectrum.count))
    }

    /// The normalisation that fits raw stamps.
    ///
    /// - Parameter stamps: count × channels × size × size numbers of ``raw(crop:)``.
    public static func fitted(
        to stamps: [Float], crop: StampNormalization.Crop = .fraction(1)
    ) -> StampNormalization {
        var result = raw(crop: crop)
        let (channels, plane) = (spectrum.count, size * size)
        var sums = [Double](repeating: 0, count: channels)
        var squares = sums
        for (index, value) in stamps.enumerated() where value.isFinite {
            let channel = index / plane % channels
            sums[channel] += Double(value)
            squares[channel] += Double(value) * Double(value)
        }
        let count = Double(max(1, stamps.count / channels))
        for channel in 0..<channels {
            let mean = sums[channel] / count
            result.mean[channel] = Float(mean)
            result.deviation[channel] = Float(max(squares[channel] / count - mean * mean, 1e-8).squareRoot())
        }
        return result
    }

    /// Raw stamps as the network sees them.
    public static func normalise(_ stamps: [Float], _ normalization: StampNormalization) -> [Float] {
        let (channels, plane) = (spectrum.count, size * size)
        var result = stamps
        for index in result.indices {
            let channel = index / plane % channels
            result[index] = (result[index] - normalization.mean[channel]) / normalization.deviation[channel]
        }
        return result
    }
}
