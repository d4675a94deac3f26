import Foundation

/// What a restoration network sees of one band, and what its answers are relative to.
///
/// Everything is in units of the sky's noise σ, so that one network serves every unit, band and depth. The answer for a pixel
/// is `base + scale · r`: an estimate by ``StarletShrinkage``, which removes most of the noise and leaves bright light as it is, and
/// the network's correction r in units of what that estimate may be wrong by. The correction is linear in flux, so its mean over
/// what the data leave open is that of the flux: a correction in magnitudes or asinh values would be biased.
public struct RestorationInput: Sendable {
    /// Number of channels: asinh of the base; mask; noise; pixels relative to the base and to their surroundings, in units of the
    /// noise; structure of the base and two other estimates relative to it, in units of the scale; scale; widths of the wanted
    /// PSF and of the image's, 0 where it stays.
    public static let channels = 11
    /// α: the share of the light that the scale is at least, where the PSF stays and where it changes.
    static let lightShares: (kept: Float, changed: Float) = (0.003, 0.03)
    /// The same of light that was filled in.
    static let filledShare: Float = 0.25
    /// κ, in σ: noise of the light that nobody may have stated.
    static let poissonShare: Float = 0.02
    /// The smallest scale in units of the noise: what light too faint to be seen in a pixel adds.
    static let smallestScale: Float = 0.08
    /// λ of the Wiener filters: the shrinkage acts on the weak one, which sharpens more.
    public static let regularisations: [Float] = [0.001, 0.03]

    public let width: Int
    public let height: Int
    /// channels × height × width.
    public let planes: [Float]
    /// In σ.
    public let base: [Float]
    /// In σ.
    public let scale: [Float]
    /// The pixels with gaps filled, through the weak filter: an estimate that is linear in the light. In σ.
    public let linear: [Float]
    /// Standard deviation of its noise, in σ.
    public let linearDeviation: [Float]

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
        let near = smooth(filled, 1)
        let estimates: (weak: [Float], strong: [Float])
        if let filter {
            let (weak, strong) = PlaneFilter.convolve(
                filled, width: width, height: height, with: filter.kernels[0], and: filter.kernels[1])
            estimates = (weak, strong)
        } else {
            estimates = (filled, near)
        }
        let noise = zip(noise, valid).map { $1 && $0.isFinite ? min(max($0, 0.3), 30) : 1 }
        let levels = StarletNoise(
            filteredBy: filter?.kernels[0],
            correlation: StarletNoise.correlation(
                of: filled, noise: noise, valid: valid, width: width, height: height))
        let shrunk = StarletShrinkage(estimates.weak, noise: noise, levels: levels, width: width, height: height)
        base = shrunk.estimate
        linear = estimates.weak
        linearDeviation = noise.map { $0 * levels.total }
        let light = smooth(base, 1.5)
        let lightShare = filter == nil ? Self.lightShares.kept : Self.lightShares.changed
        scale = light.indices.map { i in
            let (floor, share) = (Self.smallestScale * noise[i], (valid[i] ? lightShare : Self.filledShare) * light[i])
            let gap: Float = valid[i] ? 0 : 0.25
            return (shrunk.variance[i] + floor * floor + Self.poissonShare * abs(light[i]) + share * share + gap)
                .squareRoot()
        }
        let far = smooth(base, 3)
        let count = pixels.count
        var channels = [Float](repeating: 0, count: Self.channels * count)
        /// Linear up to a few units, then logarithmic.
        func bounded(_ x: Float) -> Float { 3 * asinh(x / 3) }
        for i in 0..<count {
            channels[i] = 0.5 * asinh(base[i])
            channels[count + i] = valid[i] ? 0 : 1
            channels[2 * count + i] = log(noise[i])
            channels[3 * count + i] = bounded((filled[i] - base[i]) / noise[i])
            channels[4 * count + i] = bounded((filled[i] - near[i]) / noise[i])
            channels[5 * count + i] = bounded((base[i] - far[i]) / scale[i])
            channels[6 * count + i] = bounded((shrunk.pilot[i] - base[i]) / scale[i])
            channels[7 * count + i] = bounded((estimates.strong[i] - base[i]) / scale[i])
            channels[8 * count + i] = log(scale[i])
            channels[9 * count + i] = (filter?.wantedFWHM ?? 0) / 4
            channels[10 * count + i] = (filter?.imageFWHM ?? 0) / 4
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
