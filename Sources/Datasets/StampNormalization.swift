public import ImageProcessing

/// How an image becomes the numbers that a model sees. It is stored with the model, so that inference repeats what
/// training did.
///
/// With a spectral grid the model sees all bands of the image: each as brightness (pictures as they are, FITS images through a
/// sky-subtracted, noise-scaled asinh stretch, ``Composite/brightness(of:)``), sampled at the wavelengths of the grid. Without
/// one, the image is drawn as an 8-bit colour composite, as survey browsers draw it, and divided by 255. Either way the central
/// square is resized to `size` pixels, and each channel is brought to about mean 0 and standard deviation 1.
public struct StampNormalization: Codable, Sendable, Equatable {
    /// Side of the stamp in pixels.
    public var size: Int
    /// What is kept of the image.
    public var crop: Crop
    /// Wavelengths of the channels; nil for the red, green and blue of a composite.
    public var spectrum: SpectralGrid?
    /// Mean of each channel, of values in 0 … 1.
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

    public init(
        size: Int, crop: Crop = .fraction(1), spectrum: SpectralGrid? = nil, mean: [Float], deviation: [Float]
    ) {
        let channels = spectrum?.count ?? 3
        precondition(
            size > 0 && mean.count == channels && deviation.count == channels,
            "[StampNormalization] expected \(channels) channels, got \(mean.count) means")
        self.size = size
        self.spectrum = spectrum
        self.crop = crop
        self.mean = mean
        self.deviation = deviation
    }

    /// Blue, green and red of a composite, where only brightness is at hand.
    private static let colours = SpectralGrid(wavelengths: Passband.wavelengths(of: ["R", "G", "B"]).reversed())

    /// Channels of a stamp.
    public var channels: Int { mean.count }

    /// Planes of brightness (bands × count) to channel planes as the model sees them (channels × count).
    ///
    /// - Parameter wavelengths: of the bands, nm.
    public func normalise(brightness planes: [Float], wavelengths: [Float]) -> [Float] {
        var result = (spectrum ?? Self.colours).sample(planes, bands: wavelengths)
        let count = result.count / channels
        if spectrum == nil { for i in 0..<count { result.swapAt(i, 2 * count + i) } }
        for channel in 0..<channels {
            let (scale, shift) = (1 / deviation[channel], -mean[channel] / deviation[channel])
            for i in (channel * count)..<((channel + 1) * count) { result[i] = result[i] * scale + shift }
        }
        return result
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
