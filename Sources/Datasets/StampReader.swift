public import AstroIO
import ImageProcessing

/// Reads an object's files and makes its stamp. A value: any number of threads may use it.
public struct StampReader: Sendable {
    public var normalization: StampNormalization
    /// Bands to use, by name; all when empty.
    public var bands: [String]
    /// Image extension by name or number; the first image when nil.
    public var hdu: String?

    public init(normalization: StampNormalization, bands: [String] = [], hdu: String? = nil) {
        self.normalization = normalization
        self.bands = bands
        self.hdu = hdu
    }

    /// The object's image, with the planes that belong to it.
    ///
    /// - Throws: `StampError` (`load`).
    public func image(of object: ObjectFiles) throws(StampError) -> Image {
        do {
            let image = try ImageReader.read(object.planes.map(\.source), options: ImageReadOptions(hdu: hdu))
            return bands.isEmpty ? image : try image.selecting(bands: bands)
        } catch {
            throw StampError(.load, error.description)
        }
    }

    /// The object as the model sees it.
    ///
    /// - Throws: `StampError`: files that cannot be read, and images without a single valid pixel.
    public func stamp(of object: ObjectFiles) throws(StampError) -> Stamp {
        try stamp(of: try image(of: object), object)
    }

    /// The stamp of an object's image that was read before.
    public func stamp(of image: Image, _ object: ObjectFiles) throws(StampError) -> Stamp {
        var (cut, result) = try cutOut(image, of: object)
        if normalization.spectrum != nil {
            let planes = brightness(of: cut)
            result.values = normalization.normalise(
                brightness: planes, wavelengths: Passband.wavelengths(of: cut.bands))
            return result
        }
        let picture = picture(of: cut)
        result.values = [Float](unsafeUninitializedCapacity: 3 * normalization.size * normalization.size) {
            out, count in
            count = 3 * normalization.size * normalization.size
            let target = UnsafeMutableBufferPointer(rebasing: out[0..<count])
            picture.samples.withUnsafeBufferPointer { normalization.normalise(rgb: $0, into: target) }
        }
        return result
    }

    /// The 8-bit colour picture of the stamp (size × size), for people and for models that see composites.
    public func picture(of object: ObjectFiles) throws(StampError) -> RGBImage {
        picture(of: try cutOut(try image(of: object), of: object).cut)
    }

    /// Brightness of each band (bands × size × size) with the bands' names, before it is sampled on the spectral grid.
    public func brightness(of object: ObjectFiles) throws(StampError) -> (planes: [Float], bands: [String]) {
        try brightness(of: try image(of: object), object)
    }

    /// The same of an object's image that was read before.
    public func brightness(
        of image: Image, _ object: ObjectFiles
    ) throws(StampError) -> (planes: [Float], bands: [String]) {
        let cut = try cutOut(image, of: object).cut
        return (brightness(of: cut), cut.bands)
    }

    private func picture(of cut: Image) -> RGBImage {
        Composite.rgb(from: cut).resized(width: normalization.size, height: normalization.size)
    }

    private func brightness(of cut: Image) -> [Float] {
        let resampler = Resampler(from: (cut.width, cut.height), to: (normalization.size, normalization.size))
        return Composite.brightness(of: cut).flatMap { resampler.resize($0).values }
    }

    /// The part of the image that is kept, and what the catalog says of it.
    private func cutOut(_ image: Image, of object: ObjectFiles) throws(StampError) -> (cut: Image, stamp: Stamp) {
        var flags: QualityFlags = object.hadDuplicateID ? [.duplicateID] : []
        let isPicture = image.sampleMaximum != nil
        if isPicture { flags.insert(.lossyFormat) }
        if image.bands.count == 1 { flags.insert(.replicatedBand) }
        if image.bands.count == 2 { flags.insert(.missingBand) }
        if image.width != image.height { flags.insert(.notSquare) }

        let side = normalization.crop.side(
            width: image.width, height: image.height, pixelScale: image.wcs?.pixelScaleArcsec)
        let cut =
            side == image.width && side == image.height
            ? image
            : image.cropped(x: (image.width - side) / 2, y: (image.height - side) / 2, width: side, height: side)
        if side > min(image.width, image.height) { flags.insert(.paddedStamp) }
        if side < normalization.size { flags.insert(.resampledUp) }
        if side > normalization.size { flags.insert(.resampledDown) }

        let content = PixelContent(of: cut)
        guard content.valid > 0 else {
            throw StampError(.stamp, "\(object.paths[0]): every pixel of the stamp is masked, NaN or infinite")
        }
        if content.masked > 0 { flags.insert(.maskedPixels) }
        if content.nonFinite > 0 { flags.insert(.nonFiniteData) }
        if content.masked + content.nonFinite > 0 { flags.insert(.filledPixels) }
        if content.saturated { flags.insert(.saturated) }
        if content.isConstant { flags.formUnion([.blankImage, .zeroRange]) }
        let total = cut.pixels.count
        if 2 * content.valid < total { flags.insert(.lowCoverage) }

        let wcs = cut.wcs
        let centre = Double(side - 1) / 2
        let position = wcs.flatMap { $0.frame == .fk4 ? nil : $0.pixelToSky(x: centre, y: centre) }
        if position == nil { flags.insert(.noWCS) }

        let stamp = Stamp(
            values: [], position: position, imageWidth: image.width, imageHeight: image.height, bands: image.bands,
            pixelScale: wcs?.pixelScaleArcsec, maskFraction: Float(total - content.valid) / Float(total), flags: flags)
        return (cut, stamp)
    }
}

/// What the pixels of an image are like, for its flags.
private struct PixelContent {
    var valid = 0
    var masked = 0
    var nonFinite = 0
    var isConstant = true
    var saturated = false

    init(of image: Image) {
        var first: Float?
        var different = false
        func look(_ value: Float) {
            guard value.isFinite else {
                nonFinite += 1
                return
            }
            valid += 1
            if let first { if value != first { different = true } } else { first = value }
        }
        if let mask = image.mask {
            for (value, mask) in zip(image.pixels, mask) {
                if mask.contains(.saturated) { saturated = true }
                if mask.isEmpty || mask == .interpolated || !value.isFinite { look(value) } else { masked += 1 }
            }
        } else {
            for value in image.pixels { look(value) }
        }
        isConstant = !different
    }
}
