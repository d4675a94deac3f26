internal import CFITSIO

/// The pixels of one HDU, with its scaling applied.
struct FITSPixels {
    /// Physical values, in the order of the file. Floats where float32 arithmetic gives them (as astropy does: 8- and
    /// 16-bit integers, float32), doubles for the others.
    enum Values {
        case floats([Float])
        case doubles([Double])
    }

    var values: Values
    /// Pixels equal to BLANK; nil where there is none.
    var blanks: [Bool]?

    var floats: [Float] {
        switch values {
        case .floats(let values): values
        case .doubles(let values): values.map { Float($0) }
        }
    }

    var doubles: [Double] {
        switch values {
        case .floats(let values): values.map { Double($0) }
        case .doubles(let values): values
        }
    }

    /// Reads the pixels of an image HDU.
    ///
    /// The HDU is handed to cfitsio alone, behind an empty primary one, after `CompressedImageCheck` and the scan have
    /// found that its claims hold.
    init(_ bytes: [UInt8], _ hdu: FITSStructure.HDU, headerOffset: Int, path: String) throws(ImageError) {
        func damaged(_ reason: String) -> ImageError { ImageError(.damaged, path: path, hdu: hdu.number, reason) }
        if let defect = hdu.defect { throw damaged(defect) }
        let axes = hdu.axes
        var count = 1
        for length in axes {
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            guard length > 0, !overflow, product <= FITSStructure.maximalPixels else {
                throw damaged(length > 0 ? "the image has too many pixels" : "an axis of the image has no length")
            }
            count = product
        }
        guard !axes.isEmpty else { throw ImageError(.content, path: path, hdu: hdu.number, "holds no pixels") }
        guard [8, 16, 32, 64, -32, -64].contains(hdu.bitpix) else { throw damaged("BITPIX is \(hdu.bitpix)") }
        if let keyword = FITSNumericKeywords.invalid(hdu.header) {
            throw damaged("\(keyword) is no number: \(hdu.header.text(keyword) ?? "empty")")
        }
        if hdu.kind == .compressedImage {
            try CompressedImageCheck.run(bytes, hdu, path: path)
        }

        let padded = (hdu.dataSize + 2879) / 2880 * 2880
        var memory = hdu.number == 0 ? [] : Self.emptyPrimary
        memory.reserveCapacity(memory.count + hdu.dataOffset - headerOffset + padded)
        memory += bytes[headerOffset..<min(bytes.count, hdu.dataOffset + padded)]
        memory += [UInt8](repeating: 0, count: (2880 - memory.count % 2880) % 2880)

        let raw: RawPixels
        do {
            raw = try RawPixels(
                memory: &memory, extension: hdu.number > 0, bitpix: hdu.bitpix, count: count,
                isCompressed: hdu.kind == .compressedImage)
        } catch {
            throw damaged("cfitsio cannot read the pixels: \(error.message)")
        }
        self = raw.scaled(by: hdu.header)
    }

    private static let emptyPrimary: [UInt8] = {
        var block: [UInt8] = []
        for card in [
            "SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0",
            "EXTEND  =                    T", "END",
        ] { block += Array(card.utf8) + [UInt8](repeating: 0x20, count: 80 - card.utf8.count) }
        return block + [UInt8](repeating: 0x20, count: 2880 - block.count)
    }()

    init(values: Values, blanks: [Bool]?) {
        self.values = values
        self.blanks = blanks
    }
}

/// Pixels as stored, before BSCALE and BZERO.
private enum RawPixels {
    case bytes([UInt8])
    case shorts([Int16])
    case ints([Int32])
    case longs([Int64])
    case floats([Float])
    case doubles([Double])

    struct Failure: Error {
        var message: String
    }

    init(
        memory: inout [UInt8], extension isExtension: Bool, bitpix: Int, count: Int, isCompressed: Bool
    ) throws(Failure) {
        var result: RawPixels?
        var failure: Failure?
        memory.withUnsafeMutableBytes { buffer in
            var start: UnsafeMutableRawPointer? = buffer.baseAddress
            var size = buffer.count
            var file: UnsafeMutablePointer<fitsfile>?
            var status: Int32 = 0
            ffomem(&file, "", READONLY, &start, &size, 0, nil, &status)
            if status == 0, isExtension { ffmahd(file, 2, nil, &status) }
            // Scaling is done here, in the arithmetic that astropy uses.
            if status == 0 { ffpscl(file, 1, 0, &status) }
            func read<Value: BitwiseCopyable>(_ type: Int32, _ zero: Value, null: Value? = nil) -> [Value] {
                var values = [Value](repeating: zero, count: count)
                var anyNull: Int32 = 0
                values.withUnsafeMutableBytes { target in
                    if let null {
                        withUnsafeBytes(of: null) {
                            let null = UnsafeMutableRawPointer(mutating: $0.baseAddress)
                            ffgpv(file, type, 1, LONGLONG(count), null, target.baseAddress, &anyNull, &status)
                        }
                    } else {
                        ffgpv(file, type, 1, LONGLONG(count), nil, target.baseAddress, &anyNull, &status)
                    }
                }
                return values
            }
            if status == 0 {
                switch bitpix {
                case 8: result = .bytes(read(TBYTE, UInt8(0)))
                case 16: result = .shorts(read(TSHORT, Int16(0)))
                case 32: result = .ints(read(TINT, Int32(0)))
                case 64: result = .longs(read(TLONGLONG, Int64(0)))
                // Missing pixels of compressed floats are marked in their own way; looking for NaN in plain ones, cfitsio
                // would turn subnormal numbers into 0.
                case -32: result = .floats(read(TFLOAT, Float(0), null: isCompressed ? Float.nan : nil))
                default: result = .doubles(read(TDOUBLE, 0.0, null: isCompressed ? Double.nan : nil))
                }
            }
            if status != 0 {
                var short = [CChar](repeating: 0, count: 31)
                ffgerr(status, &short)
                failure = Failure(
                    message: String(decoding: short.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            ffcmsg()
            if file != nil {
                status = 0
                ffclos(file, &status)
                ffcmsg()
            }
        }
        if let failure { throw failure }
        self = result!
    }

    /// Applies BLANK, BSCALE and BZERO with the arithmetic of astropy.io.fits: float32 for integers of up to 16 bits
    /// and float32 pixels, float64 for the others; offsets that stand for unsigned integers exactly.
    func scaled(by header: FITSHeader) -> FITSPixels {
        let scale = header.number("BSCALE") ?? 1
        let zero = header.number("BZERO") ?? 0
        let blank = header.integer("BLANK") ?? header.integer("ZBLANK")
        func integers<Value: FixedWidthInteger>(_ values: [Value], wide: Bool) -> FITSPixels {
            var blanks: [Bool]?
            if let blank, let blank = Value(exactly: blank), values.contains(blank) {
                blanks = values.map { $0 == blank }
            }
            if scale == 1, let offset = Int64(exactly: zero) {
                // Unsigned integers and plain ones: exact.
                let exact =
                    wide
                    ? FITSPixels.Values.doubles(values.map { Double(Int64($0)) + Double(offset) })
                    : .floats(values.map { Float(Int64($0) + offset) })
                return FITSPixels(values: exact, blanks: blanks)
            }
            if wide {
                return FITSPixels(values: .doubles(values.map { Double(Int64($0)) * scale + zero }), blanks: blanks)
            }
            let (scale, zero) = (Float(scale), Float(zero))
            return FITSPixels(values: .floats(values.map { Float(Int64($0)) * scale + zero }), blanks: blanks)
        }
        switch self {
        case .bytes(let values): return integers(values, wide: false)
        case .shorts(let values): return integers(values, wide: false)
        case .ints(let values): return integers(values, wide: true)
        case .longs(let values): return integers(values, wide: true)
        case .floats(let values):
            guard scale != 1 || zero != 0 else { return FITSPixels(values: .floats(values), blanks: nil) }
            let (scale, zero) = (Float(scale), Float(zero))
            return FITSPixels(values: .floats(values.map { $0 * scale + zero }), blanks: nil)
        case .doubles(let values):
            guard scale != 1 || zero != 0 else { return FITSPixels(values: .doubles(values), blanks: nil) }
            return FITSPixels(values: .doubles(values.map { $0 * scale + zero }), blanks: nil)
        }
    }
}
