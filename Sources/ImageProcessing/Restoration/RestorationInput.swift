import Foundation

/// What a restoration network sees of one band, and what its answers are relative to.
///
/// Everything is in units of the sky's noise σ, so that one network serves every unit, band and depth. The answer for a pixel
/// is `base + scale · r`: a linear estimate that conserves flux, and the network's correction r in units of a local scale, which
/// is the noise on the sky and grows with the light, `scale² = n² + κ · light + (α · light)²`: by Poisson noise that nobody may have
/// stated, and by what a linear estimate gets wrong, which is little where the PSF stays. The correction is linear in flux, so its
/// mean over what the data leave open is that of the flux: a correction in magnitudes or asinh values would be biased.
public struct RestorationInput: Sendable {
    /// Number of channels: asinh of the pixels, mask, noise, fine and coarse detail, two other linear estimates relative to the
    /// base, and whether the PSF is to change.
    public static let channels = 8
    /// α: the share of the light that the scale follows, where the PSF stays and where it changes.
    static let lightShares: (kept: Float, changed: Float) = (0.01, 0.05)
    /// κ, in σ.
    static let poissonShare: Float = 0.1
    /// λ of the Wiener filters: the weak one sharpens more, the strong one is the base.
    public static let regularisations: [Float] = [0.01, 0.1]

    public let width: Int
    public let height: Int
    /// channels × height × width.
    public let planes: [Float]
    /// In σ.
    public let base: [Float]
    /// In σ.
    public let scale: [Float]

    /// - Parameters:
    ///   - pixels: without sky, in σ; values of pixels that are not valid do not matter.
    ///   - valid: which pixels count.
    ///   - noise: standard deviation of each pixel, in σ.
    ///   - filter: from the PSF of the image to the wanted one, with ``regularisations``; nil leaves the PSF.
    public init(
        pixels: [Float], valid: [Bool], noise: [Float], width: Int, height: Int, filter: WienerFilter? = nil
    ) {
        precondition(
            pixels.count == width * height && valid.count == pixels.count && noise.count == pixels.count,
            "[RestorationInput] expected \(width) × \(height) pixels")
        (self.width, self.height) = (width, height)
        func smooth(_ plane: [Float], _ sigma: Float) -> [Float] {
            PlaneFilter.smooth(plane, width: width, height: height, sigma: sigma)
        }
        let filled = GapFilling.fill(pixels, valid: valid, width: width, height: height)
        let estimates: (weak: [Float], base: [Float])
        if let filter {
            let (weak, strong) = PlaneFilter.convolve(
                filled, width: width, height: height, with: filter.kernels[0], and: filter.kernels[1])
            estimates = (weak, strong)
        } else {
            estimates = (filled, filled)
        }
        base = estimates.base
        let light = smooth(base, 1.5)
        let lightShare = filter == nil ? Self.lightShares.kept : Self.lightShares.changed
        let noise = zip(noise, valid).map { $1 && $0.isFinite ? min(max($0, 0.3), 30) : 1 }
        scale = zip(noise, light).map { noise, light in
            let share = lightShare * light
            return (noise * noise + Self.poissonShare * abs(light) + share * share).squareRoot()
        }
        let (near, far) = (smooth(filled, 1), smooth(filled, 3))
        let count = pixels.count
        let local = scale
        var channels = [Float](repeating: 0, count: Self.channels * count)
        func relative(_ a: Float, _ b: Float, _ index: Int) -> Float { min(max((a - b) / local[index], -30), 30) }
        for i in 0..<count {
            channels[i] = 0.5 * asinh(filled[i])
            channels[count + i] = valid[i] ? 0 : 1
            channels[2 * count + i] = log(noise[i])
            channels[3 * count + i] = relative(filled[i], near[i], i)
            channels[4 * count + i] = relative(near[i], far[i], i)
            channels[5 * count + i] = relative(estimates.weak[i], base[i], i)
            channels[6 * count + i] = relative(filled[i], base[i], i)
            channels[7 * count + i] = filter == nil ? 0 : 1
        }
        planes = channels
    }

    /// What a 2 × finer image adds to a pixel divided into four equal parts, before the network: a cubic interpolation of the
    /// base, minus its mean in each pixel. 2·height × 2·width, in σ a fine pixel.
    public var fineDetail: [Float] {
        Self.withoutPixelMeans(
            Resampler(from: (width, height), to: (2 * width, 2 * height)).apply(base, channels: 1).map { $0 / 4 },
            width: 2 * width)
    }

    /// A plane of an even width minus the mean of each 2 × 2 pixels.
    public static func withoutPixelMeans(_ plane: [Float], width: Int) -> [Float] {
        var result = plane
        for y in stride(from: 0, to: plane.count / width, by: 2) {
            for x in stride(from: 0, to: width, by: 2) {
                let places = [y * width + x, y * width + x + 1, (y + 1) * width + x, (y + 1) * width + x + 1]
                let mean = (plane[places[0]] + plane[places[1]] + plane[places[2]] + plane[places[3]]) / 4
                for place in places { result[place] -= mean }
            }
        }
        return result
    }
}
