internal import CFITSIO

/// The one owner of a cfitsio handle that writes images. A handle belongs to one thread at a time, which unique
/// ownership guarantees: hence `@unchecked Sendable`.
struct FITSImageHandle: ~Copyable, @unchecked Sendable {
    /// For error messages: the name that the user gave.
    let path: String
    private var pointer: UnsafeMutablePointer<fitsfile>?

    /// Creates `temporaryName`, which is taken literally and must not exist.
    init(creating temporaryName: String, for name: String) throws(ImageError) {
        path = name
        pointer = nil
        var status: Int32 = 0
        ffdkinit(&pointer, temporaryName, &status)
        try check(status, "cannot be created")
    }

    deinit {
        if pointer != nil {
            var status: Int32 = 0
            ffclos(pointer, &status)
            ffcmsg()
        }
    }

    /// Closes the file, which is when buffered bytes reach it.
    consuming func close() throws(ImageError) {
        var status: Int32 = 0
        let closing = pointer
        pointer = nil
        ffclos(closing, &status)
        try check(status, "cannot be written")
    }

    private func check(_ status: Int32, _ what: String) throws(ImageError) {
        guard status != 0 else { return }
        var short = [CChar](repeating: 0, count: 31)
        ffgerr(status, &short)
        var message = [CChar](repeating: 0, count: 81)
        let hasMessage = ffgmsg(&message) != 0
        ffcmsg()
        let texts = ([short] + (hasMessage ? [message] : [])).map { buffer in
            String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        throw ImageError(.output, path: path, "\(what) (cfitsio: \(texts.joined(separator: "; ")))")
    }

    // MARK: - HDUs

    /// How the tiles of an image are compressed.
    enum TileCompression {
        case none
        case gzip
        case rice
        case hcompress
        case plio
    }

    /// Starts a new image HDU; a compressed one behind an empty primary HDU, which cfitsio makes.
    ///
    /// - Parameter quantization: steps a standard deviation of the noise is divided into; nil keeps floats exactly.
    mutating func createImage(
        bitpix: Int32, axes: [Int], compression: TileCompression = .none, quantization: Float? = nil
    ) throws(ImageError) {
        var status: Int32 = 0
        let type: Int32 =
            switch compression {
            case .none: 0
            case .gzip: bitpix < 0 ? GZIP_2 : GZIP_1
            case .rice: RICE_1
            case .hcompress: HCOMPRESS_1
            case .plio: PLIO_1
            }
        fits_set_compression_type(pointer, type, &status)
        if compression != .none {
            // NO_QUANTIZE = 9999 of fitsio.h, which Swift does not see.
            fits_set_quantize_level(pointer, quantization ?? 9999, &status)
            fits_set_quantize_method(pointer, SUBTRACTIVE_DITHER_1, &status)
            // The same pixels give the same file.
            fits_set_dither_seed(pointer, 1, &status)
            if compression == .hcompress {
                // Two-dimensional tiles; cfitsio chooses their height.
                fits_set_hcomp_scale(pointer, 0, &status)
            }
        }
        var axes = axes
        ffcrim(pointer, bitpix, Int32(axes.count), &axes, &status)
        try check(status, "the image HDU cannot be created")
    }

    /// Appends cards of 80 characters to the header.
    mutating func write(_ lines: [String]) throws(ImageError) {
        var status: Int32 = 0
        for line in lines { ffprec(pointer, line, &status) }
        try check(status, "the header cannot be written")
    }

    mutating func write(_ card: FITSHeader.Card) throws(ImageError) { try write(FITSCardWriter.lines(card)) }

    mutating func writeChecksum() throws(ImageError) {
        var status: Int32 = 0
        ffpcks(pointer, &status)
        try check(status, "the checksum cannot be written")
    }

    // MARK: - Pixels

    /// Writes all pixels as they are. Where tiles are quantized, NaN becomes ZBLANK.
    mutating func write(_ pixels: ArraySlice<Float>, quantized: Bool) throws(ImageError) {
        var status: Int32 = 0
        if quantized {
            // cfitsio finds missing pixels by comparing, which NaN never passes; this is the value it reserves.
            let missing: Float = -9.11912e-36
            var values = pixels.map { $0.isNaN ? missing : $0 }
            ffppne(pointer, 1, 1, Int64(values.count), &values, missing, &status)
        } else {
            pixels.withUnsafeBufferPointer { buffer in
                _ = ffppre(
                    pointer, 1, 1, Int64(buffer.count), UnsafeMutablePointer(mutating: buffer.baseAddress), &status)
            }
        }
        try check(status, "the pixels cannot be written")
    }

    /// Writes stored values, whatever BSCALE and BZERO the header has.
    mutating func write(stored pixels: [Int16]) throws(ImageError) {
        var status: Int32 = 0
        var pixels = pixels
        ffpscl(pointer, 1, 0, &status)
        ffppri(pointer, 1, 1, Int64(pixels.count), &pixels, &status)
        try check(status, "the pixels cannot be written")
    }

    mutating func write(integers pixels: [Int32]) throws(ImageError) {
        var status: Int32 = 0
        var pixels = pixels
        ffpprk(pointer, 1, 1, Int64(pixels.count), &pixels, &status)
        try check(status, "the pixels cannot be written")
    }

    mutating func write(bytes pixels: [UInt8]) throws(ImageError) {
        var status: Int32 = 0
        var pixels = pixels
        ffpprb(pointer, 1, 1, Int64(pixels.count), &pixels, &status)
        try check(status, "the pixels cannot be written")
    }
}
