public import AstroIO

/// The plane that sources are looked for in, made of all bands of an image.
///
/// One band is taken as it is. Several are added in units of their noise, `Σ d/σ / √n` over the n bands that count at a pixel: it
/// needs neither a common unit nor a zero point, and is close to the best sum for sources that are about equally significant in
/// all bands. (A sum weighted by inverse variance is the best for blue sources in calibrated units, but loses red galaxies, and
/// breaks where the bands' units differ.)
public struct DetectionImage: Sendable {
    public let width: Int
    public let height: Int
    /// height × width, sky subtracted.
    public var pixels: [Float]
    /// Standard deviation of every pixel, above 0; 1 for a sum of several bands.
    public var noise: [Float]
    /// 1: no band counts at the pixel.
    public var mask: [UInt8]
    /// The bands that it was made of, for photometry.
    public let bands: [BandPlane]

    /// - Throws: `ExtractionError` (`noPixels`) when no band has a usable pixel; single empty bands are left out of the sum.
    public init(_ image: Image, background: BackgroundModel.Settings = .init()) throws(ExtractionError) {
        var planes: [BandPlane] = []
        var failure: ExtractionError?
        for index in image.bands.indices {
            do throws(ExtractionError) {
                planes.append(try BandPlane(image, band: index, background: background))
            } catch {
                guard error.kind == .noPixels else { throw error }
                failure = error
            }
        }
        guard !planes.isEmpty else { throw failure ?? ExtractionError(.noPixels, "the image has no band") }
        self.init(planes)
    }

    /// - Parameter bands: at least one, all of one size.
    public init(_ bands: [BandPlane]) {
        let size = bands[0].pixels.count
        precondition(bands.allSatisfy { $0.pixels.count == size }, "[DetectionImage] expected bands of one size")
        (width, height) = (bands[0].width, bands[0].height)
        self.bands = bands
        guard bands.count > 1 else {
            (pixels, noise, mask) = (bands[0].pixels, bands[0].noise, bands[0].mask)
            return
        }
        pixels = [Float](repeating: 0, count: size)
        noise = [Float](repeating: 1, count: size)
        mask = [UInt8](repeating: 1, count: size)
        for i in 0..<size {
            var (sum, count): (Float, Float) = (0, 0)
            for band in bands where band.mask[i] == 0 {
                sum += band.pixels[i] / band.noise[i]
                count += 1
            }
            guard count > 0 else { continue }
            pixels[i] = sum / count.squareRoot()
            mask[i] = 0
        }
    }

    /// Pixels in units of their noise, height × width: what the network sees.
    public var significance: [Float] {
        pixels.indices.map { mask[$0] == 0 ? pixels[$0] / noise[$0] : 0 }
    }
}
