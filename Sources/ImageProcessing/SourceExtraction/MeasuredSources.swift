/// Sources with their photometry in every band.
public struct MeasuredSources: Sendable {
    public let segmentation: Segmentation
    public let bands: [String]
    /// In the detection image: Kron radii, and the only photometry that is comparable between images of any unit.
    public let detection: [KronPhotometry.Measurement]
    /// bands × sources.
    public let photometry: [[KronPhotometry.Measurement]]
    /// Whether a pixel of the segment is saturated in any band.
    let saturated: [Bool]
    public let width: Int
    public let height: Int

    /// Measures the sources of a segmentation: Kron radii on the detection image, then fluxes in each band through the same
    /// apertures.
    ///
    /// - Throws: `ExtractionError` (`library`).
    public init(_ segmentation: Segmentation, in image: DetectionImage) throws(ExtractionError) {
        self.segmentation = segmentation
        (width, height) = (image.width, image.height)
        bands = image.bands.map(\.band)
        let kron = KronPhotometry()
        detection = try kron.measure(segmentation, pixels: image.pixels, noise: image.noise, mask: image.mask)
        if image.bands.count == 1 {
            photometry = [detection]
        } else {
            var planes: [[KronPhotometry.Measurement]] = []
            let radii = detection.map(\.kronRadius)
            for band in image.bands {
                planes.append(
                    try kron.measure(
                        segmentation, pixels: band.pixels, noise: band.noise, mask: band.mask, kronRadii: radii))
            }
            photometry = planes
        }
        var saturated = [Bool](repeating: false, count: segmentation.sources.count)
        for band in image.bands {
            guard let pixels = band.saturated else { continue }
            for (i, number) in segmentation.map.enumerated() where number > 0 && pixels[i] {
                saturated[Int(number) - 1] = true
            }
        }
        self.saturated = saturated
    }

    /// The band of columns without a band in their names: r where there is one, else the middle one.
    public var referenceBand: Int { bands.firstIndex(of: "r") ?? bands.count / 2 }

    /// Probability of being a star: of the method that found the source, else from its size.
    public func starProbabilities() -> [Double] {
        let significances = detection.map { $0.fluxError > 0 ? $0.flux / $0.fluxError : 0 }
        let radii = detection.map(\.halfLightRadius)
        let locus = StellarLocus(radii: radii, significances: significances)
        return segmentation.sources.indices.map { i in
            if let known = segmentation.sources[i].classProbabilities { return known[.star, default: 0] }
            return locus?.starProbability(radius: radii[i], significance: significances[i]) ?? .nan
        }
    }

    /// SExtractor's FLAGS: 1 aperture with masked pixels or without positive light, 2 deblended, 4 saturated, 8 truncated at
    /// the image's edge, 16 aperture truncated, 32 the shape is singular.
    public func flags() -> [Int16] {
        segmentation.sources.indices.map { i in
            let (object, aperture) = (segmentation.sources[i].flags, detection[i].flags)
            var flags: Int16 = 0
            if aperture & 0xE0 != 0 { flags |= 1 }
            if object & 1 != 0 { flags |= 2 }
            if saturated[i] { flags |= 4 }
            if object & 2 != 0 { flags |= 8 }
            if aperture & 0x10 != 0 { flags |= 16 }
            if object & 8 != 0 { flags |= 32 }
            return flags
        }
    }
}
