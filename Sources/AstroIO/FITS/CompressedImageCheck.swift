/// Checks that a tile-compressed image is consistent before cfitsio unpacks it.
///
/// cfitsio 4.2 trusts the tile shape, the row descriptors and the sizes inside HCOMPRESS and PLIO streams: a wrong one
/// makes it write beyond its buffers. FITS Standard 4.0, section 10.
enum CompressedImageCheck {
    private static let methods: Set<String> = [
        "RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS",
    ]

    static func run(_ bytes: [UInt8], _ hdu: FITSStructure.HDU, path: String) throws(ImageError) {
        func damaged(_ reason: String) -> ImageError { ImageError(.damaged, path: path, hdu: hdu.number, reason) }
        let header = hdu.header
        guard let method = header.text("ZCMPTYPE"), methods.contains(method) else {
            throw ImageError(
                .unsupported, path: path, hdu: hdu.number,
                "the compression \(header.text("ZCMPTYPE") ?? "(ZCMPTYPE missing)") is not supported")
        }
        if let keyword = FITSNumericKeywords.doubtful(header) {
            throw damaged("\(keyword) is given twice or is no integer")
        }
        guard header.integer("BITPIX") == 8, header.integer("NAXIS") == 2, let rowWidth = header.integer("NAXIS1"),
            let rows = header.integer("NAXIS2"), let fields = header.integer("TFIELDS"), (1...999).contains(fields)
        else { throw damaged("the table of the compressed image is not valid") }
        let axes = hdu.axes
        guard axes.count <= 6 else { throw damaged("the compressed image has \(axes.count) axes") }

        // A line list needs a byte for some 2000 pixels, an empty HCOMPRESS tile twenty for a whole one; what claims far more
        // is meant to fill the memory.
        let pixels = axes.reduce(1.0) { $0 * Double($1) }
        guard pixels <= 4096 * Double(hdu.dataSize) + 0x1p24 else {
            throw damaged("\(hdu.dataSize) bytes cannot hold \(axes.map(String.init).joined(separator: " × ")) pixels")
        }
        var tiles = 1
        var tilePixels = 1
        for (index, length) in axes.enumerated() {
            let tile = header.integer("ZTILE\(index + 1)") ?? (index == 0 ? length : 1)
            guard tile > 0 else { throw damaged("ZTILE\(index + 1) is \(tile)") }
            tiles *= (length + min(tile, length) - 1) / min(tile, length)
            tilePixels *= min(tile, length)
            // A tile longer than its axis is read by nobody alike.
            guard tile <= length || axes.count == 1 || tile <= 2 * length else {
                throw damaged("ZTILE\(index + 1) = \(tile) is longer than the axis")
            }
        }
        guard tiles == rows else { throw damaged("the compressed image has \(rows) rows for \(tiles) tiles") }
        for index in 1...max(1, axes.count) {
            if let block = header.integer("ZVAL\(index)"), header.text("ZNAME\(index)") == "BLOCKSIZE" {
                guard block == 16 || block == 32 else { throw damaged("the RICE block size is \(block)") }
            }
            if let size = header.integer("ZVAL\(index)"), header.text("ZNAME\(index)") == "BYTEPIX" {
                guard [1, 2, 4, 8].contains(size) else { throw damaged("BYTEPIX is \(size)") }
            }
        }

        // Columns and where they lie in a row.
        var offset = 0
        var descriptors: [(offset: Int, wide: Bool, elementSize: Int, name: String)] = []
        for field in 1...fields {
            guard let form = header.text("TFORM\(field)"), let column = TableForm(form) else {
                throw damaged("TFORM\(field) is \(header.text("TFORM\(field)") ?? "missing")")
            }
            if let variable = column.variable {
                descriptors.append((offset, column.isWide, variable, header.text("TTYPE\(field)") ?? ""))
            }
            offset += column.width
        }
        guard offset == rowWidth else { throw damaged("the columns take \(offset) bytes of rows of \(rowWidth)") }
        guard descriptors.contains(where: { $0.name == "COMPRESSED_DATA" }) else {
            throw damaged("has no column COMPRESSED_DATA of variable length")
        }

        // Every stream must lie in the heap, and claim a tile's size.
        let table = rows * rowWidth
        let heap = header.integer("THEAP") ?? table
        guard heap >= table, heap <= hdu.dataSize, hdu.dataSize <= bytes.count - hdu.dataOffset else {
            throw damaged("THEAP is \(heap)")
        }
        let heapSize = hdu.dataSize - heap
        for row in 0..<rows {
            for descriptor in descriptors {
                let at = hdu.dataOffset + row * rowWidth + descriptor.offset
                let count = Int(bigEndian(bytes, at, descriptor.wide ? 8 : 4))
                let start = Int(bigEndian(bytes, at + (descriptor.wide ? 8 : 4), descriptor.wide ? 8 : 4))
                guard count >= 0, start >= 0, count <= heapSize / max(1, descriptor.elementSize),
                    start <= heapSize - count * descriptor.elementSize
                else { throw damaged("tile \(row + 1) of column \(descriptor.name) lies outside the heap") }
                guard count > 0 else { continue }
                let stream = hdu.dataOffset + heap + start
                let length = count * descriptor.elementSize
                // Tiles that cannot be quantized are gzip streams in a column of their own. cfitsio goes on for ever on a
                // stream that ends too early.
                if descriptor.name == "GZIP_COMPRESSED_DATA"
                    || (descriptor.name == "COMPRESSED_DATA" && method.hasPrefix("GZIP"))
                {
                    guard PackedFile.isGzipStream(bytes, stream..<(stream + length), limit: 8 * tilePixels) else {
                        throw damaged("tile \(row + 1) is no whole gzip stream")
                    }
                }
                guard descriptor.name == "COMPRESSED_DATA" else { continue }
                switch method {
                case "HCOMPRESS_1":
                    guard length >= 14, bytes[stream] == 0xdd, bytes[stream + 1] == 0x99 else {
                        throw damaged("tile \(row + 1) is no HCOMPRESS stream")
                    }
                    let a = Int(Int32(truncatingIfNeeded: bigEndian(bytes, stream + 2, 4)))
                    let b = Int(Int32(truncatingIfNeeded: bigEndian(bytes, stream + 6, 4)))
                    guard a > 0, b > 0, a <= tilePixels, b <= tilePixels, a * b <= tilePixels else {
                        throw damaged("tile \(row + 1) claims \(a) × \(b) pixels")
                    }
                case "PLIO_1":
                    guard isLineList(bytes, stream, words: length / 2) else {
                        throw damaged("tile \(row + 1) is no PLIO line list")
                    }
                default: break
                }
            }
        }
    }

    /// Whether the head of an IRAF line list, in 16-bit words, points to instructions inside the list (imlib's plio.c, pl_l2pi).
    private static func isLineList(_ bytes: [UInt8], _ at: Int, words: Int) -> Bool {
        func word(_ index: Int) -> Int { Int(Int16(truncatingIfNeeded: bigEndian(bytes, at + 2 * index, 2))) }
        guard words >= 3 else { return false }
        if word(2) > 0 { return word(2) <= words }
        guard words >= 5, word(3) >= 0, word(4) >= 0 else { return false }
        let length = (word(4) << 15) + word(3)
        return length <= words && (0...max(0, length)).contains(word(1))
    }

    private static func bigEndian(_ bytes: [UInt8], _ at: Int, _ count: Int) -> Int64 {
        guard at >= 0, at + count <= bytes.count else { return -1 }
        var value: UInt64 = 0
        for i in 0..<count { value = value << 8 | UInt64(bytes[at + i]) }
        if count == 4 { return Int64(Int32(truncatingIfNeeded: value)) }
        return Int64(bitPattern: value)
    }
}

/// A TFORM value, such as `1PB(512)` or `3D`.
private struct TableForm {
    /// Bytes in the row.
    var width: Int
    /// Bytes of an element of a variable-length column; nil for a fixed one.
    var variable: Int?
    /// Whether the descriptors have 64 bits.
    var isWide = false

    init?(_ form: String) {
        let digits = form.prefix { $0.isNumber }
        guard digits.count < 10, let letter = form.dropFirst(digits.count).first else { return nil }
        let count = digits.isEmpty ? 1 : Int(digits)!
        let sizes: [Character: Int] = [
            "L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8, "C": 8, "M": 16,
        ]
        switch letter {
        case "P", "Q":
            guard count <= 1, let element = form.dropFirst(digits.count + 1).first, let size = sizes[element] else {
                return nil
            }
            isWide = letter == "Q"
            width = count * (isWide ? 16 : 8)
            variable = size
        case "X": width = (count + 7) / 8
        default:
            guard let size = sizes[letter] else { return nil }
            width = count * size
        }
    }
}
