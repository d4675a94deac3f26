public import AstroIO

/// One band ready for detection and photometry: sky subtracted, with noise and mask.
public struct BandPlane: Sendable {
    public var band: String
    public let width: Int
    public let height: Int
    /// height × width, in the image's unit, 0 where nothing can be used.
    public var pixels: [Float]
    /// Standard deviation of every pixel, finite and above 0.
    public var noise: [Float]
    /// 1: the pixel does not count (no data, bad, cosmic ray, not finite). Saturated pixels count: they are part of a star.
    public var mask: [UInt8]
    /// Pixels at the saturation level.
    public var saturated: [Bool]?
    /// Median of the sky that was subtracted, and its noise.
    public var sky: (level: Float, noise: Float)

    /// A band of an image. Its noise is the measured one; where the image has a variance, that, scaled so that it agrees with the
    /// measured noise of the sky, as SExtractor does with weight maps: coadds state variances of pixels that are correlated.
    ///
    /// - Throws: `ExtractionError` (`noPixels`).
    public init(
        _ image: Image, band index: Int, background: BackgroundModel.Settings = .init()
    ) throws(ExtractionError) {
        let size = image.planeSize
        let range = (index * size)..<((index + 1) * size)
        band = image.bands[index]
        (width, height) = (image.width, image.height)
        var values = Array(image.pixels[range])
        var mask = [UInt8](repeating: 0, count: size)
        var saturated: [Bool]?
        if let flags = image.mask {
            for i in 0..<size {
                let flag = flags[range.lowerBound + i]
                if !flag.subtracting([.interpolated, .saturated]).isEmpty { mask[i] = 1 }
                if flag.contains(.saturated) {
                    if saturated == nil { saturated = [Bool](repeating: false, count: size) }
                    saturated![i] = true
                }
            }
        }
        let variance = image.variance.map { Array($0[range]) }
        for i in 0..<size where !values[i].isFinite || variance?[i] == .infinity { mask[i] = 1 }
        for i in 0..<size where mask[i] != 0 { values[i] = 0 }
        // libsep calls the noise of a constant image 1.
        let first = values.indices.first { mask[$0] == 0 }
        guard let first else { throw ExtractionError(.noPixels, "every pixel is masked or not finite") }
        guard values.indices.contains(where: { mask[$0] == 0 && values[$0] != values[first] }) else {
            throw ExtractionError(.noPixels, "band \(band): all usable pixels have the value \(values[first])")
        }
        let sky = try BackgroundModel(of: values, mask: mask, width: width, height: height, settings: background)
        guard sky.globalNoise > 0, sky.globalNoise.isFinite else {
            throw ExtractionError(.noPixels, "band \(band) has no noise: its pixels hardly vary")
        }
        let floor = sky.globalNoise * 1e-3
        noise = sky.noise.map { $0.isFinite && $0 > floor ? $0 : sky.globalNoise }
        if let variance {
            let scale = Self.scale(variance, to: noise, mask: mask)
            for i in 0..<size where mask[i] == 0 && variance[i] > 0 && variance[i].isFinite {
                noise[i] = max(floor, variance[i].squareRoot() * scale)
            }
        }
        for i in 0..<size { values[i] = mask[i] == 0 ? values[i] - sky.level[i] : 0 }
        pixels = values
        self.mask = mask
        self.saturated = saturated
        self.sky = (sky.globalLevel, sky.globalNoise)
    }

    /// A band whose sky and noise are known already.
    ///
    /// - Parameters: pixels, noise, mask: height × width; the sky is subtracted.
    public init(band: String, width: Int, height: Int, pixels: [Float], noise: [Float], mask: [UInt8]) {
        let size = width * height
        precondition(
            pixels.count == size && noise.count == size && mask.count == size,
            "[BandPlane] expected \(height) × \(width) pixels, noise and mask")
        (self.band, self.width, self.height) = (band, width, height)
        (self.pixels, self.noise, self.mask) = (pixels, noise, mask)
        saturated = nil
        sky = (0, noise.first ?? 0)
    }

    /// The median ratio of measured to stated noise; 1 where nothing is stated.
    private static func scale(_ variance: [Float], to noise: [Float], mask: [UInt8]) -> Float {
        let step = max(1, variance.count / 50_000)
        var ratios: [Float] = []
        for i in stride(from: 0, to: variance.count, by: step)
        where mask[i] == 0 && variance[i] > 0 && variance[i].isFinite {
            ratios.append(noise[i] / variance[i].squareRoot())
        }
        guard !ratios.isEmpty else { return 1 }
        ratios.sort()
        return ratios[ratios.count / 2]
    }
}
