/// The HDUs of a FITS file, found by reading the headers alone.
///
/// Files come from strangers. This scan checks what a header claims against the size of the file before cfitsio, which
/// trusts headers, sees it. FITS Standard 4.0, sections 3 and 4.
struct FITSStructure {
    enum Kind: String {
        case image = "image"
        case compressedImage = "compressed image"
        case binaryTable = "binary table"
        case asciiTable = "ASCII table"
        case randomGroups = "random groups"
        case other = "unknown extension"
    }

    struct HDU {
        var number: Int
        var kind: Kind
        var header: FITSHeader
        /// Where the data unit begins, and the bytes it has without padding.
        var dataOffset: Int
        var dataSize: Int
        /// Why the data cannot be used; nil when they can.
        var defect: String?

        var name: String { header.text("EXTNAME") ?? (number == 0 ? "PRIMARY" : "") }

        /// Lengths of the image's axes, NAXIS1 first; those of the picture inside for a compressed one.
        var axes: [Int] {
            let prefix = kind == .compressedImage ? "ZNAXIS" : "NAXIS"
            guard kind == .image || kind == .compressedImage, let count = header.integer(prefix), count > 0,
                count <= 999
            else { return [] }
            return (1...count).map { header.integer("\(prefix)\($0)") ?? 0 }
        }

        var bitpix: Int { header.integer(kind == .compressedImage ? "ZBITPIX" : "BITPIX") ?? 0 }

        /// ZCMPTYPE of a compressed image.
        var compression: String? { kind == .compressedImage ? header.text("ZCMPTYPE") : nil }
    }

    var hdus: [HDU]
    /// What follows the last whole HDU, if it is no padding: such as a damaged header.
    var trailer: String?

    static let blockSize = 2880
    /// The largest image that is read, in pixels.
    static let maximalPixels = 1 << 30

    /// - Throws: `ImageError` when the first header is not that of a FITS file.
    init(_ bytes: [UInt8], path: String) throws(ImageError) {
        hdus = []
        var offset = 0
        while offset < bytes.count {
            let header: FITSHeader
            let end: Int
            do {
                (header, end) = try Self.header(bytes, at: offset)
            } catch {
                if hdus.isEmpty { throw ImageError(.damaged, path: path, hdu: 0, error.reason) }
                // Zeros or blanks after the last HDU are padding of tapes and disks.
                if !bytes[offset...].allSatisfy({ $0 == 0 || $0 == 0x20 }) { trailer = error.reason }
                break
            }
            let first = header.cards.first?.keyword
            guard first == (hdus.isEmpty ? "SIMPLE" : "XTENSION") else {
                if hdus.isEmpty {
                    throw ImageError(.format, path: path, hdu: 0, "is no FITS file: it does not begin with SIMPLE")
                }
                trailer = "no extension header follows HDU \(hdus.count - 1)"
                break
            }
            var hdu = HDU(
                number: hdus.count, kind: Self.kind(header), header: header, dataOffset: end, dataSize: 0, defect: nil)
            switch Self.dataSize(header, kind: hdu.kind) {
            case .success(let size): hdu.dataSize = size
            case .failure(let failure): hdu.defect = failure.reason
            }
            if hdu.defect == nil, hdu.dataSize > bytes.count - end {
                hdu.defect =
                    "is truncated: the header claims \(hdu.dataSize) bytes of data, the file has \(bytes.count - end)"
            }
            hdus.append(hdu)
            if hdu.defect != nil { break }
            let (next, overflow) = end.addingReportingOverflow(
                (hdu.dataSize + Self.blockSize - 1) / Self.blockSize * Self.blockSize)
            if overflow { break }
            offset = next
        }
    }

    private struct Failure: Error {
        var reason: String
    }

    // MARK: - Headers

    /// The cards from `offset` to END, and where the data begin.
    private static func header(_ bytes: [UInt8], at offset: Int) throws(Failure) -> (FITSHeader, Int) {
        var header = FITSHeader()
        var position = offset
        var continued = false
        while true {
            guard position + 80 <= bytes.count else { throw Failure(reason: "the header has no END") }
            guard position - offset < 80 * 200_000 else {
                throw Failure(reason: "the header has more than 200 000 cards")
            }
            let card = bytes[position..<(position + 80)]
            guard card.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0 || $0 == 0x0a || $0 >= 0x80 || $0 == 0x09 })
            else {
                throw Failure(reason: "the header holds bytes that are no text")
            }
            position += 80
            if card.starts(with: "END".utf8), card.dropFirst(3).allSatisfy({ $0 == 0x20 || $0 == 0 }) { break }
            append(card, to: &header, continued: &continued)
        }
        let length = (position - offset + blockSize - 1) / blockSize * blockSize
        return (header, offset + length)
    }

    /// Parses cards given as text lines or one run of 80-character cards, as in header-only files.
    static func cards(ofText bytes: [UInt8]) -> FITSHeader {
        var header = FITSHeader()
        var continued = false
        let lines: [ArraySlice<UInt8>] =
            bytes.contains(0x0a)
            ? bytes.split(separator: 0x0a).map { $0.last == 0x0d ? $0.dropLast() : $0 }
            : stride(from: 0, to: bytes.count, by: 80).map { bytes[$0..<min($0 + 80, bytes.count)] }
        for line in lines {
            if line.starts(with: "END".utf8), line.dropFirst(3).allSatisfy({ $0 == 0x20 }) { break }
            append(line.prefix(80), to: &header, continued: &continued)
        }
        return header
    }

    private static func append(_ card: ArraySlice<UInt8>, to header: inout FITSHeader, continued: inout Bool) {
        func string(_ part: some Sequence<UInt8>) -> String {
            String(decoding: part.map { (0x20...0x7e).contains($0) ? $0 : 0x3f }, as: UTF8.self)
        }
        let keyword = trimmed(string(card.prefix(8)))
        let rest = card.dropFirst(8)
        let isValue =
            rest.starts(with: [0x3d, 0x20]) || (rest.first == 0x3d && !["COMMENT", "HISTORY", ""].contains(keyword))
        if keyword == "CONTINUE", continued, let last = header.cards.indices.last {
            let (text, isText, _) = value(rest)
            if isText, var previous = header.cards[last].value, previous.hasSuffix("&") {
                previous.removeLast()
                header.cards[last].value = previous + text
            }
            continued = text.hasSuffix("&")
            return
        }
        if keyword == "HIERARCH", let equals = rest.firstIndex(of: 0x3d) {
            let (text, isText, comment) = value(rest[rest.index(after: equals)...])
            header.cards.append(
                .init("HIERARCH " + trimmed(string(rest[..<equals])), value: text, isText: isText, comment: comment))
            return
        }
        guard isValue, keyword != "COMMENT", keyword != "HISTORY" else {
            header.cards.append(.init(keyword, value: nil, comment: trimmed(string(rest))))
            continued = false
            return
        }
        let (text, isText, comment) = value(rest.dropFirst())
        header.cards.append(.init(keyword, value: text, isText: isText, comment: comment))
        continued = isText && text.hasSuffix("&")
    }

    /// The value and comment behind the equals sign.
    private static func value(_ field: ArraySlice<UInt8>) -> (text: String, isText: Bool, comment: String?) {
        let clean = field.map { (0x20...0x7e).contains($0) ? $0 : UInt8(0x3f) }
        var position = clean.firstIndex { $0 != 0x20 } ?? clean.count
        if position < clean.count, clean[position] == 0x27 {
            var text: [UInt8] = []
            position += 1
            while position < clean.count {
                if clean[position] == 0x27 {
                    guard position + 1 < clean.count, clean[position + 1] == 0x27 else { break }
                    position += 1
                }
                text.append(clean[position])
                position += 1
            }
            while text.count > 1, text.last == 0x20 { text.removeLast() }
            let slash = clean[min(position + 1, clean.count)...].firstIndex(of: 0x2f)
            let comment = slash.map { trimmed(String(decoding: clean[($0 + 1)...], as: UTF8.self)) }
            return (String(decoding: text, as: UTF8.self), true, comment)
        }
        let slash = clean.firstIndex(of: 0x2f)
        let text = trimmed(String(decoding: clean[..<(slash ?? clean.count)], as: UTF8.self))
        return (text, false, slash.map { trimmed(String(decoding: clean[($0 + 1)...], as: UTF8.self)) })
    }

    private static func trimmed(_ text: String) -> String {
        var part = Substring(text)
        while part.first == " " { part.removeFirst() }
        while part.last == " " { part.removeLast() }
        return String(part)
    }

    // MARK: - Data

    private static func kind(_ header: FITSHeader) -> Kind {
        if header.cards.first?.keyword == "SIMPLE" {
            return header.flag("GROUPS") == true && header.integer("NAXIS1") == 0 ? .randomGroups : .image
        }
        switch header.text("XTENSION") {
        case "IMAGE", "IUEIMAGE": return .image
        case "BINTABLE", "A3DTABLE": return header.flag("ZIMAGE") == true ? .compressedImage : .binaryTable
        case "TABLE": return .asciiTable
        default: return .other
        }
    }

    /// |BITPIX| / 8 · GCOUNT · (PCOUNT + product of the axes).
    private static func dataSize(_ header: FITSHeader, kind: Kind) -> Result<Int, Failure> {
        guard let bitpix = header.integer("BITPIX"), [8, 16, 32, 64, -32, -64].contains(bitpix) else {
            return .failure(Failure(reason: "BITPIX is \(header.text("BITPIX") ?? "missing")"))
        }
        guard let naxis = header.integer("NAXIS"), (0...999).contains(naxis) else {
            return .failure(Failure(reason: "NAXIS is \(header.text("NAXIS") ?? "missing")"))
        }
        guard naxis > 0 else { return .success(0) }
        var product = 1
        for axis in 1...naxis {
            guard let length = header.integer("NAXIS\(axis)"), length >= 0 else {
                return .failure(Failure(reason: "NAXIS\(axis) is \(header.text("NAXIS\(axis)") ?? "missing")"))
            }
            if kind == .randomGroups && axis == 1 { continue }
            let (next, overflow) = product.multipliedReportingOverflow(by: length)
            guard !overflow else { return .failure(Failure(reason: "the axes claim more pixels than any file holds")) }
            product = next
        }
        let parameters = header.integer("PCOUNT") ?? 0
        let groups = header.integer("GCOUNT") ?? 1
        guard parameters >= 0, groups >= 0 else { return .failure(Failure(reason: "PCOUNT or GCOUNT is negative")) }
        let (sum, overflow1) = product.addingReportingOverflow(
            header.cards.first?.keyword == "SIMPLE" && kind == .image ? 0 : parameters)
        let (all, overflow2) = sum.multipliedReportingOverflow(by: groups)
        let (bytes, overflow3) = all.multipliedReportingOverflow(by: abs(bitpix) / 8)
        guard !overflow1, !overflow2, !overflow3, bytes < 1 << 50 else {
            return .failure(Failure(reason: "the axes claim more pixels than any file holds"))
        }
        return .success(bytes)
    }
}
