internal import Foundation

/// How an image is read.
public struct ImageReadOptions: Sendable {
    /// Image extension of a FITS file by name (EXTNAME) or number (0 = primary); the first image when nil.
    public var hdu: String?
    /// Join data-quality, weight, sigma and variance extensions of the same file.
    public var joinsPlanes = true

    public init(hdu: String? = nil, joinsPlanes: Bool = true) {
        self.hdu = hdu
        self.joinsPlanes = joinsPlanes
    }
}

/// Reads images. The kind of a file is decided by its first bytes, not by its name.
public enum ImageReader {
    /// One file of an image that is spread over several.
    public struct Source: Sendable {
        /// The name the band is to have; nil takes what the file says.
        public var band: String?
        public var path: String
        /// Inverse variance.
        public var weight: String?
        /// Standard deviation.
        public var sigma: String?
        public var variance: String?
        /// Data quality: pixels that are not 0 are bad.
        public var mask: String?

        public init(
            band: String? = nil, path: String, weight: String? = nil, sigma: String? = nil, variance: String? = nil,
            mask: String? = nil
        ) {
            self.band = band
            self.path = path
            self.weight = weight
            self.sigma = sigma
            self.variance = variance
            self.mask = mask
        }
    }

    /// Reads one file.
    ///
    /// - Throws: `ImageError` naming file, HDU and reason.
    public static func read(_ path: String, options: ImageReadOptions = ImageReadOptions()) throws(ImageError) -> Image
    {
        let bytes = try PackedFile.read(path)
        switch try kind(of: bytes, path: path) {
        case .fits: return try FITSImageReader.read(bytes, path: path, options: options)
        case .picture(let format): return try PictureReader.read(bytes, format: format, path: path)
        }
    }

    /// Reads the files of one image and joins them: bands are known by their names, never by their order.
    ///
    /// - Throws: `ImageError`; `mismatch` naming the files when sizes differ or two have the same band.
    public static func read(
        _ sources: [Source], options: ImageReadOptions = ImageReadOptions()
    ) throws(ImageError) -> Image {
        var images: [Image] = []
        for source in sources {
            var image = try read(source.path, options: options)
            if let band = source.band, image.bands.count == 1 { image.bands = [band] }
            try Companions.join(source, to: &image)
            images.append(image)
        }
        guard var joined = images.first else { throw ImageError(.content, path: "", "no file was given") }
        for (image, source) in zip(images, sources).dropFirst() { try joined.join(image, from: source.path) }
        return joined
    }

    // MARK: - Kinds of files

    enum Kind {
        case fits
        case picture(PictureReader.Format)
    }

    static func kind(of bytes: [UInt8], path: String) throws(ImageError) -> Kind {
        if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) { return .picture(.png) }
        if bytes.starts(with: [0xff, 0xd8, 0xff]) { return .picture(.jpeg) }
        if bytes.starts(with: Array("SIMPLE".utf8)) { return .fits }
        throw ImageError(.format, path: path, "is no FITS, PNG or JPEG file")
    }
}

extension Image {
    /// Adds the bands of another image of the same size.
    ///
    /// Where only one of the two has a mask, the other's pixels are good; where only one has a variance, the other's is NaN:
    /// not known.
    /// - Parameter path: the other's file, for the error.
    /// - Throws: `ImageError` (`mismatch`).
    mutating func join(_ other: Image, from path: String) throws(ImageError) {
        let first = provenance.sources.first?.path ?? "the first image"
        guard other.width == width, other.height == height else {
            throw ImageError(
                .mismatch, path: path,
                "is \(other.width) × \(other.height) pixels, but \(first) is \(width) × \(height)")
        }
        guard other.rowOrder == rowOrder else {
            throw ImageError(.mismatch, path: path, "has its rows in another order than \(first)")
        }
        if let common = other.bands.first(where: bands.contains) {
            throw ImageError(.mismatch, path: path, "has band '\(common)', and so has another file")
        }
        func joined<Value>(_ own: [Value]?, _ others: [Value]?, missing: Value) -> [Value]? {
            guard own != nil || others != nil else { return nil }
            return (own ?? [Value](repeating: missing, count: pixels.count))
                + (others ?? [Value](repeating: missing, count: other.pixels.count))
        }
        var result = Image(
            bands: bands + other.bands, width: width, height: height, pixels: pixels + other.pixels,
            mask: joined(mask, other.mask, missing: []), variance: joined(variance, other.variance, missing: .nan),
            rowOrder: rowOrder, wcs: wcs ?? other.wcs, header: header, unit: unit, sampleMaximum: sampleMaximum,
            provenance: provenance)
        result.provenance.sources += other.provenance.sources
        self = result
    }
}
