/// Planes that say how far the pixels of an image can be trusted: weights, errors, data quality.
enum Companions {
    enum Role: String {
        /// Inverse variance.
        case weight
        /// Standard deviation.
        case sigma
        case variance
        /// Not 0 is bad.
        case mask
    }

    /// The role that the name of an extension gives: HST and JWST (SCI, ERR, WHT, DQ), Rubin and HSC (IMAGE, MASK,
    /// VARIANCE), Legacy surveys (INVVAR, IVAR).
    static func role(ofExtension name: String) -> Role? {
        switch name.uppercased() {
        case "WHT", "WEIGHT", "INVVAR", "IVAR", "INVERSE_VARIANCE": .weight
        case "ERR", "ERROR", "SIGMA", "RMS", "UNCERT", "UNCERTAINTY", "STDEV": .sigma
        case "VARIANCE", "VAR": .variance
        case "DQ", "MASK", "DQMASK", "FLAGS", "BADPIX": .mask
        default: nil
        }
    }

    /// What the bits of a mask mean, where its header says so by MP_ cards (Rubin, HSC); nil where it does not, and all that
    /// is not 0 is bad.
    private static func bits(of header: FITSHeader) -> [(bit: Int, meaning: PixelMask)]? {
        let known: [(String, PixelMask)] = [
            ("MP_NO_DATA", .noData), ("MP_NODAT", .noData), ("MP_BAD", .bad), ("MP_SUSPECT", .bad),
            ("MP_SAT", .saturated),
            ("MP_CR", .cosmicRay), ("MP_INTRP", .interpolated), ("MP_EDGE", .noData), ("MP_UNMASKEDNAN", .noData),
            ("MP_PAD", .padded),
        ]
        guard header.cards.contains(where: { $0.keyword.hasPrefix("MP_") }) else { return nil }
        return known.compactMap { keyword, meaning in
            header.integer(keyword).flatMap { (0..<31).contains($0) ? ($0, meaning) : nil }
        }
    }

    /// Joins a plane of the same number of pixels, or one plane for all bands.
    static func join(_ plane: FITSPixels, as role: Role, header: FITSHeader, to image: inout Image) {
        let values = plane.floats
        let size = image.planeSize
        guard values.count == image.pixels.count || values.count == size else { return }
        func value(_ index: Int) -> Float { values[values.count == image.pixels.count ? index : index % size] }
        switch role {
        case .mask:
            var mask = image.mask ?? [PixelMask](repeating: [], count: image.pixels.count)
            let bits = bits(of: header)
            for index in mask.indices where value(index) != 0 {
                guard let bits, let stored = Int(exactly: value(index)) else {
                    mask[index].insert(.bad)
                    continue
                }
                for (bit, meaning) in bits where stored >> bit & 1 == 1 { mask[index].insert(meaning) }
            }
            image.mask = mask
        case .weight, .sigma, .variance:
            var variance = [Float](repeating: 0, count: image.pixels.count)
            for index in variance.indices {
                let value = value(index)
                variance[index] =
                    switch role {
                    case .weight: value > 0 ? 1 / value : .infinity
                    case .sigma: value >= 0 ? value * value : .infinity
                    default: value >= 0 ? value : .infinity
                    }
            }
            image.variance = variance
            if role == .weight, variance.contains(.infinity) {
                var mask = image.mask ?? [PixelMask](repeating: [], count: image.pixels.count)
                for index in mask.indices where !variance[index].isFinite { mask[index].insert(.noData) }
                image.mask = mask
            }
        }
    }

    /// Joins the plane files that a source names.
    ///
    /// - Throws: `ImageError`; `mismatch` when a plane has another size than the image.
    static func join(_ source: ImageReader.Source, to image: inout Image) throws(ImageError) {
        for (path, role) in [
            (source.weight, Role.weight), (source.sigma, .sigma), (source.variance, .variance), (source.mask, .mask),
        ] {
            guard let path else { continue }
            let bytes = try PackedFile.read(path)
            guard case .fits = try ImageReader.kind(of: bytes, path: path) else {
                throw ImageError(.format, path: path, "is no FITS file, as a \(role.rawValue) plane must be")
            }
            let structure = try FITSStructure(bytes, path: path)
            guard let hdu = structure.hdus.first(where: { FITSImageReader.isImage($0) }) else {
                throw ImageError(.content, path: path, "holds no image")
            }
            guard hdu.axes[0] == image.width, hdu.axes[1] == image.height else {
                throw ImageError(
                    .mismatch, path: path, hdu: hdu.number,
                    "the \(role.rawValue) plane is \(hdu.axes[0]) × \(hdu.axes[1]) pixels, the image \(image.width) × \(image.height)"
                )
            }
            join(
                try FITSImageReader.pixels(bytes, hdu, in: structure, path: path), as: role, header: hdu.header,
                to: &image)
            image.provenance.sources.append(.init(path: path, hdu: hdu.number, role: role.rawValue))
        }
    }
}
