import AstroIO
import ImageProcessing

/// One band of an image: its pixels without sky in units of its noise, and which of them count.
struct BandContent {
    let width: Int
    let height: Int
    /// As stored.
    let stored: [Float]
    let mask: [PixelMask]
    let valid: [Bool]
    let sky: [Float]
    /// σ in the image's unit.
    let noise: Float
    let noiseIsMeasured: Bool
    /// Standard deviation of each pixel, in σ.
    let deviations: [Float]

    /// Pixels without sky, in σ; 0 where not valid.
    var pixels: [Float] {
        stored.indices.map { valid[$0] ? (stored[$0] - sky[$0]) / noise : 0 }
    }

    /// - Throws: `RestorationError`: no valid pixel, or no noise.
    init(_ image: Image, band: Int) throws(RestorationError) {
        let name = image.bands[band]
        let range = (band * image.planeSize)..<((band + 1) * image.planeSize)
        let stored = Array(image.pixels[range])
        let variance = image.variance.map { Array($0[range]) }
        let mask = image.mask.map { Array($0[range]) } ?? [PixelMask](repeating: [], count: stored.count)
        let valid = stored.indices.map { i in
            stored[i].isFinite && abs(stored[i]) < 1e30 && (mask[i].isEmpty || mask[i] == .interpolated)
                && variance?[i] != .infinity
        }
        guard let sky = SkyMap(stored, valid: valid, width: image.width, height: image.height) else {
            throw RestorationError(.noValidPixel, band: name, "every pixel is masked, NaN or infinite")
        }
        let known = variance.map { variance in variance.indices.filter { valid[$0] && variance[$0] > 0 } } ?? []
        if let variance, 2 * known.count > valid.count(where: { $0 }) {
            let middle = known.map { variance[$0] }.sorted()[known.count / 2].squareRoot()
            (noise, noiseIsMeasured) = (middle, false)
            deviations = variance.map { $0 > 0 && $0.isFinite ? $0.squareRoot() / middle : 1 }
        } else {
            (noise, noiseIsMeasured) = (sky.noise, true)
            deviations = [Float](repeating: 1, count: stored.count)
        }
        guard noise > 0, noise.isFinite else {
            throw RestorationError(
                .noise, band: name, "the image has no variance and its noise cannot be measured: it is constant")
        }
        (width, height) = (image.width, image.height)
        (self.stored, self.mask, self.valid, self.sky) = (stored, mask, valid, sky.level)
    }
}
