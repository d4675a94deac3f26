import AstroIO
import Foundation

/// Colour pictures of images.
public enum Composite {
    /// How bands become colours.
    public enum Style: Sendable, Equatable {
        /// What suits the image: colour pictures as they are; others sky-subtracted, scaled by their noise and stretched
        /// by asinh, which needs no unit and no zero point.
        case automatic
        /// Lupton et al. 2004 (PASP 116, 133), as astropy's make_lupton_rgb: values in the image's unit.
        case lupton(minimum: Float = 0, stretch: Float = 0.5, q: Float = 10)
        /// The colours of the Legacy Surveys' viewer: needs bands among g, r, i, z in nanomaggies.
        case legacy
        /// The mean of all bands through one stretch.
        case grey(Stretch)
    }

    /// Draws an image. FITS images are turned so that the first row is at the bottom; masked pixels and those that are no
    /// number are black, and do not influence the scaling.
    ///
    /// - Throws: `ImageError` (`content`) when the style needs bands that the image does not have.
    public static func rgb(from image: Image, style: Style) throws(ImageError) -> RGBImage {
        switch style {
        case .automatic: return rgb(from: image)
        case .lupton(let minimum, let stretch, let q):
            let planes = colours(of: image).map { cleaned(image, $0) }
            return picture(image, lupton(planes, minimum: minimum, stretch: stretch, q: q))
        case .legacy: return picture(image, try legacy(image))
        case .grey(let stretch):
            let planes = image.bands.indices.map { cleaned(image, $0, filler: .nan) }
            let mean = (0..<image.planeSize).map { i in planes.reduce(0) { $0 + $1[i] } / Float(planes.count) }
            let bright = stretch(mean)
            return picture(image, [bright, bright, bright])
        }
    }

    /// Draws an image in the automatic style.
    public static func rgb(from image: Image) -> RGBImage {
        if let maximum = image.sampleMaximum {
            let order = ["R", "G", "B"].compactMap { image.bands.firstIndex(of: $0) }
            let bands = order.count == 3 ? order : [0, 0, 0]
            return picture(image, bands.map { band in cleaned(image, band).map { $0 / maximum } })
        }
        return picture(image, automatic(image))
    }

    // MARK: - Bands

    /// What brings a typical galaxy to about the same brightness in all bands.
    private struct Balance {
        /// For planes in units of their noise: ground-based surveys are deepest in r, so that without it galaxies are green.
        static let noise: [String: Float] = ["u": 2.5, "g": 1.3, "r": 1, "i": 1.1, "z": 1.4, "y": 2]
        /// For calibrated fluxes, as in the Legacy Surveys' pictures.
        static let flux: [String: Float] = ["g": 6.0, "r": 3.4, "i": 3.0, "z": 2.2]

        /// Factors that bring the light of what stands out of the noise within a factor of 1.5 of grey: surveys differ in depth
        /// more than galaxies differ in colour.
        static func limits(_ planes: [[Float]]) -> [Float] {
            var light = [Double](repeating: 0, count: planes.count)
            let threshold = 5 * Float(planes.count)
            for i in planes[0].indices where planes.reduce(0, { $0 + $1[i] }) > threshold {
                for c in planes.indices { light[c] += Double(planes[c][i]) }
            }
            let mean = light.reduce(0, +) / Double(planes.count)
            guard mean > 0, light.allSatisfy({ $0 > 0 }) else { return planes.map { _ in 1 } }
            return light.map { Float(min(max($0 / mean, 1 / 1.5), 1.5) / ($0 / mean)) }
        }

        static func isCalibrated(_ image: Image, _ bands: [Int]) -> Bool {
            let unit = image.unit?.lowercased() ?? ""
            return (unit.contains("nanomagg") || unit.contains("nmgy"))
                && bands.allSatisfy { flux[image.bands[$0]] != nil }
        }
    }

    /// The bands for red, green and blue: the longest, the middle and the shortest wavelength. Bands whose names say nothing
    /// are taken to stand in the order of wavelength. One band is all three; of two, the mean is green.
    public static func colours(of image: Image) -> [Int] {
        let named = image.bands.indices.map { index in
            (index, Passband.wavelength(of: image.bands[index]))
        }
        let order =
            named.allSatisfy { $0.1 != nil }
            ? named.sorted { $0.1! < $1.1! }.map(\.0) : Array(image.bands.indices)
        let count = order.count
        return [order[count - 1], order[count / 2], order[0]]
    }

    /// A band whose masked and undefined pixels have a filler.
    private static func cleaned(_ image: Image, _ band: Int, filler: Float = 0) -> [Float] {
        let range = (band * image.planeSize)..<((band + 1) * image.planeSize)
        guard let mask = image.mask else { return image.pixels[range].map { $0.isFinite ? $0 : filler } }
        return zip(image.pixels[range], mask[range]).map { value, mask in
            value.isFinite && (mask.isEmpty || mask == .interpolated) ? value : filler
        }
    }

    // MARK: - Styles

    /// The three colours' brightness, 0 … 1.
    private static func automatic(_ image: Image) -> [[Float]] {
        let bands = colours(of: image)
        let distinct = Set(bands).sorted { bands.firstIndex(of: $0)! < bands.firstIndex(of: $1)! }
        var scaled = noiseScaled(image, bands: distinct)
        var planes = bands.map { scaled[distinct.firstIndex(of: $0)!] }
        if image.bands.count == 2 { planes[1] = zip(planes[0], planes[2]).map { ($0 + $1) / 2 } }
        scaled = []
        stretch(&planes)
        for i in planes[0].indices {
            let peak = max(planes[0][i], planes[1][i], planes[2][i])
            // Too bright for one channel: all are reduced, and the colour fades to white, as on film.
            if peak > 1 {
                let fade = min(peak - 1, 0.8)
                for c in 0..<3 { planes[c][i] = planes[c][i] / peak * (1 - fade) + fade }
            }
        }
        return planes
    }

    /// Each of an image's bands as a plane of brightness, in the order of the image's bands and rows from the top: about 0.03
    /// for empty sky, 1 where the brightest 0.6 % of the pixels are. Pictures give their samples over the largest possible
    /// one; images with physical values are sky-subtracted, scaled by their noise and stretched by one asinh for all bands, so
    /// that neither unit nor zero point matters. Pixels that do not count are 0 (sky).
    public static func brightness(of image: Image) -> [[Float]] {
        let bands = Array(image.bands.indices)
        var planes: [[Float]]
        if let maximum = image.sampleMaximum {
            planes = bands.map { band in cleaned(image, band).map { $0 / maximum } }
        } else {
            planes = noiseScaled(image, bands: bands)
            stretch(&planes)
        }
        guard image.rowOrder == .bottomUp else { return planes }
        return planes.map { plane in
            (0..<image.height).reversed().flatMap { plane[($0 * image.width)..<(($0 + 1) * image.width)] }
        }
    }

    /// Bands minus their sky in units of their noise (fluxes in nanomaggies: of the noise of all), balanced.
    private static func noiseScaled(_ image: Image, bands: [Int]) -> [[Float]] {
        var planes: [[Float]] = []
        var noises: [Float] = []
        for band in bands {
            let values = cleaned(image, band, filler: .nan)
            guard let sky = SkyEstimate(values) else {
                planes.append([Float](repeating: 0, count: image.planeSize))
                noises.append(0)
                continue
            }
            planes.append(values.map { $0.isFinite ? $0 - sky.level : 0 })
            noises.append(sky.noise)
        }
        let calibrated = bands.count > 1 && Balance.isCalibrated(image, bands)
        if calibrated {
            let factors = bands.map { Balance.flux[image.bands[$0]]! }
            let squares = zip(noises, factors).reduce(0) { $0 + $1.0 * $1.1 * $1.0 * $1.1 }
            let common = (squares / Float(bands.count)).squareRoot()
            if common > 0 { noises = factors.map { common / $0 } }
        } else if bands.count > 1 {
            for (index, band) in bands.enumerated() { noises[index] /= Balance.noise[image.bands[band]] ?? 1 }
        }
        for index in planes.indices {
            // An image without noise (a model, a mask) is scaled by its brightest pixel.
            let unit = noises[index] > 0 ? noises[index] : (planes[index].max() ?? 0) / 50
            guard unit > 0, unit.isFinite else { continue }
            let factor = 1 / unit
            for i in planes[index].indices { planes[index][i] *= factor }
        }
        if bands.count > 1, !calibrated {
            for (index, factor) in Balance.limits(planes).enumerated() where factor != 1 {
                for i in planes[index].indices { planes[index][i] *= factor }
            }
        }
        return planes
    }

    /// One asinh curve on the mean of the bands, which keeps the colours: sky noise stays dark grey, and 1 is where the
    /// brightest 0.6 % of the pixels are, or 50 σ.
    private static func stretch(_ planes: inout [[Float]]) {
        let count = Float(planes.count)
        let intensity = planes[0].indices.map { i in planes.reduce(0) { $0 + $1[i] } / count }
        let bright = Stretch.Limits.percentile(99.4).of(intensity)?.white ?? 0
        let white = max(bright, 50)
        let softening: Float = 3
        let top = asinh(white / softening)
        for i in intensity.indices {
            // A pedestal shows the sky's noise as dark grey, as survey pictures do.
            let value = intensity[i] + 1.5
            let curve = asinh(max(value, 0) / softening) / top
            let factor = value > 1e-6 ? curve / value : 0
            for c in planes.indices { planes[c][i] = max(0, (planes[c][i] + 1.5) * factor) }
        }
    }

    /// make_lupton_rgb: one asinh of the mean intensity, colours kept, too bright pixels reduced.
    static func lupton(_ planes: [[Float]], minimum: Float, stretch: Float, q: Float) -> [[Float]] {
        // astropy: slope = 0.1 · 255 / asinh(0.1 · Q), I' = asinh(I · Q / stretch) · slope.
        let q = abs(q) < 1 / 8_388_608 ? 0.1 : min(q, 1e10)
        let fraction: Float = 0.1
        let slope = fraction * 255 / asinh(fraction * q)
        let soften = q / stretch
        var result = planes.map { _ in [Float](repeating: 0, count: planes[0].count) }
        for i in planes[0].indices {
            let values = planes.map { $0[i] - minimum }
            let intensity = values.reduce(0, +) / 3
            let factor = intensity > 0 ? asinh(intensity * soften) * slope / intensity : 0
            var scaled = values.map { max(0, $0 * factor) }
            let peak = scaled.max()!
            if peak > 255 { scaled = scaled.map { $0 * 255 / peak } }
            for c in 0..<3 { result[c][i] = (scaled[c]).rounded(.down) / 255 }
        }
        return result
    }

    /// The Legacy Surveys' `sdss_rgb`: I = mean of max(0, s·x + m), rgb = (s·x + m) · asinh(Q·I) / √Q / I with m = 0.03 and
    /// Q = 20; z is red, r green, g blue.
    private static func legacy(_ image: Image) throws(ImageError) -> [[Float]] {
        let scales: [(band: String, plane: Int, scale: Float)] =
            image.bands.contains("z")
            ? [("g", 2, 6.0), ("r", 1, 3.4), ("z", 0, 2.2)] : [("g", 2, 6.0), ("r", 1, 3.4), ("i", 0, 3.0)]
        var planes = [[Float]](repeating: [], count: 3)
        for (band, plane, scale) in scales {
            guard let index = image.bands.firstIndex(of: band) else {
                throw ImageError(
                    .content, path: image.provenance.sources.first?.path ?? "image",
                    "the Legacy colours need the bands g, r and z or i; the image has \(image.bands.joined(separator: ", "))"
                )
            }
            planes[plane] = cleaned(image, index).map { $0 * scale + 0.03 }
        }
        let q: Float = 20
        for i in planes[0].indices {
            let intensity = planes.reduce(0) { $0 + max(0, $1[i]) } / 3
            let factor = intensity > 0 ? asinh(q * intensity) / q.squareRoot() / intensity : 0
            for c in 0..<3 { planes[c][i] = min(max(planes[c][i] * factor, 0), 1) }
        }
        return planes
    }

    // MARK: - Picture

    /// Planes of brightness in 0 … 1 as a picture, the top row first.
    private static func picture(_ image: Image, _ planes: [[Float]]) -> RGBImage {
        let (width, height) = (image.width, image.height)
        let samples = [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
            for y in 0..<height {
                let source = (image.rowOrder == .bottomUp ? height - 1 - y : y) * width
                for x in 0..<width {
                    for c in 0..<3 {
                        let value = planes[c][source + x] * 255 + 0.5
                        buffer[(y * width + x) * 3 + c] = value >= 255 ? 255 : value > 0 ? UInt8(value) : 0
                    }
                }
            }
            count = width * height * 3
        }
        return RGBImage(width: width, height: height, samples: samples)
    }
}
