/// How an image becomes the numbers that a model sees. It is stored with the model, so that inference repeats what
/// training did.
///
/// Every image is first drawn as an 8-bit colour composite, as survey browsers draw it: colour pictures as they are, grey
/// ones three times, FITS images through a sky-subtracted, noise-scaled asinh stretch with the longest wavelength in red. Its
/// central square is resized to `size` pixels, divided by 255, and each channel is brought to about mean 0 and standard deviation 1.
public struct StampNormalization: Codable, Sendable, Equatable {
    /// Side of the stamp in pixels.
    public var size: Int
    /// What is kept of the image.
    public var crop: Crop
    /// Mean of the red, green and blue channel, of values in 0 … 1.
    public var mean: [Float]
    /// Standard deviation of the channels.
    public var deviation: [Float]

    /// The part of an image around its centre that is kept.
    public enum Crop: Codable, Sendable, Equatable {
        /// A fraction of the shorter side.
        case fraction(Double)
        /// A square of pixels; beyond the image it is padded.
        case pixels(Int)
        /// A square of this side on the sky; images without WCS are used whole.
        case arcsec(Double)

        /// Reads `0.7`, `128px` or `20arcsec`.
        public init?(_ text: String) {
            if text.hasSuffix("arcsec"), let side = Double(text.dropLast(6)), side > 0, side.isFinite {
                self = .arcsec(side)
            } else if text.hasSuffix("px"), let side = Int(text.dropLast(2)), (1...65536).contains(side) {
                self = .pixels(side)
            } else if let fraction = Double(text), fraction > 0, fraction <= 1 {
                self = .fraction(fraction)
            } else {
                return nil
            }
        }

        /// Side of the square that is kept, pixels; at most four times the shorter side.
        ///
        /// - Parameter pixelScale: arcseconds a pixel, nil without a WCS.
        public func side(width: Int, height: Int, pixelScale: Double?) -> Int {
            let shorter = min(width, height)
            let side: Double
            switch self {
            case .fraction(let fraction): side = Double(shorter) * fraction
            case .pixels(let pixels): side = Double(pixels)
            case .arcsec(let arcsec):
                guard let pixelScale, pixelScale > 0, pixelScale.isFinite else { return shorter }
                side = arcsec / pixelScale
            }
            return max(1, Int(min(side.rounded(), Double(4 * shorter))))
        }
    }

    public init(size: Int, crop: Crop = .fraction(1), mean: [Float], deviation: [Float]) {
        precondition(size > 0 && mean.count == 3 && deviation.count == 3, "[StampNormalization] expected 3 channels")
        self.size = size
        self.crop = crop
        self.mean = mean
        self.deviation = deviation
    }

    /// 8-bit RGB samples, interleaved, to channel planes as the model sees them, written to `out` (3 × count).
    public func normalise(rgb samples: UnsafeBufferPointer<UInt8>, into out: UnsafeMutableBufferPointer<Float>) {
        let count = samples.count / 3
        precondition(out.count == samples.count, "[normalise] expected \(samples.count) numbers, got \(out.count)")
        for channel in 0..<3 {
            let scale = 1 / (255 * deviation[channel])
            let shift = -mean[channel] / deviation[channel]
            for i in 0..<count { out[channel * count + i] = Float(samples[3 * i + channel]) * scale + shift }
        }
    }
}
