import Datasets
import ImageProcessing

/// Normalised stamps as colour pictures: the longest wavelength red, the shortest blue.
struct StampRendering {
    let normalization: StampNormalization

    /// The stamp as it would be without its normalisation.
    func picture(_ stamp: [Float]) -> RGBImage {
        drawn(stamp) { value, channel in value * normalization.deviation[channel] + normalization.mean[channel] }
    }

    /// A difference of two stamps: grey where there is none, white from +0.3 on and black from −0.3 on, in brightness.
    func residual(_ stamp: [Float], less other: [Float]) -> RGBImage {
        let difference = zip(stamp, other).map { $0 - $1 }
        return drawn(difference) { value, channel in 0.5 + value * normalization.deviation[channel] / 0.6 }
    }

    /// A map over a stamp: dark where it is low, the stamp in full where it is highest.
    ///
    /// - Parameter map: of side × side numbers.
    func weighted(_ stamp: [Float], by map: [Float], side: Int) -> RGBImage {
        let (low, high) = (map.min() ?? 0, map.max() ?? 1)
        let scaled = map.map { (value: Float) -> Float in high > low ? (value - low) / (high - low) : 1 }
        let size = normalization.size
        let fine = Resampler(from: (side, side), to: (size, size)).resize(scaled).values
        var picture = picture(stamp)
        for pixel in 0..<(size * size) {
            let weight = min(max(fine[pixel], 0), 1)
            // Yellow on what is looked at, blue-grey elsewhere.
            let tint: [Float] = [0.95 * weight, 0.75 * weight, 0.25 + 0.1 * weight]
            for channel in 0..<3 {
                let value = 0.45 * Float(picture.samples[3 * pixel + channel]) / 255 + 0.55 * tint[channel]
                picture.samples[3 * pixel + channel] = UInt8(255 * min(max(value, 0), 1))
            }
        }
        return picture
    }

    private func drawn(_ stamp: [Float], _ brightness: (Float, Int) -> Float) -> RGBImage {
        let plane = normalization.size * normalization.size
        let channels = normalization.channels
        // Colour pictures without a spectral grid have red first.
        let order =
            normalization.spectrum == nil ? [0, min(1, channels - 1), channels - 1] : [channels - 1, channels / 2, 0]
        var samples = [UInt8](repeating: 0, count: 3 * plane)
        for (place, channel) in order.enumerated() {
            for pixel in 0..<plane {
                let value = brightness(stamp[channel * plane + pixel], channel)
                samples[3 * pixel + place] = UInt8((255 * min(max(value, 0), 1)).rounded())
            }
        }
        return RGBImage(width: normalization.size, height: normalization.size, samples: samples)
    }
}
