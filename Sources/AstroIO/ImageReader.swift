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
    public static func read(_ path: String, options: ImageReadOptions = ImageReadOptions()) throws(ImageError) -> Image {
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
        for (image, source) in zip(images, sources).dropFirst() {
            let first = sources[0].path
            guard image.width == joined.width, image.height == joined.height else {
                throw ImageError(
                    .mismatch, path: source.path,
                    "is \(image.width) × \(image.height) pixels, but \(first) is \(joined.width) × \(joined.height)")
            }
            guard image.rowOrder == joined.rowOrder else {
                throw ImageError(.mismatch, path: source.path, "has its rows in another order than \(first)")
            }
            if let common = image.bands.first(where: joined.bands.contains) {
                throw ImageError(.mismatch, path: source.path, "has band '\(common)', and so has another file")
            }
            let none = [PixelMask](repeating: [], count: 0)
            if joined.mask != nil || image.mask != nil {
                joined.mask =
                    (joined.mask ?? [PixelMask](repeating: [], count: joined.pixels.count))
                    + (image.mask ?? [PixelMask](repeating: [], count: image.pixels.count)) + none
            }
            if let own = joined.variance, let other = image.variance {
                joined.variance = own + other
            } else {
                joined.variance = nil
            }
            var result = Image(
                bands: joined.bands + image.bands, width: joined.width, height: joined.height,
                pixels: joined.pixels + image.pixels, mask: joined.mask, variance: joined.variance,
                rowOrder: joined.rowOrder, wcs: joined.wcs ?? image.wcs, header: joined.header, unit: joined.unit,
                sampleMaximum: joined.sampleMaximum, provenance: joined.provenance)
            result.provenance.sources += image.provenance.sources
            joined = result
        }
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
