internal import CFITSIO
import Glibc

/// The one owner of a cfitsio handle on a table. A handle belongs to one thread at a time, which unique ownership
/// guarantees: hence `@unchecked Sendable`.
struct FITSTableHandle: ~Copyable, @unchecked Sendable {
    /// For error messages: the name that the user gave.
    let path: String
    private var pointer: UnsafeMutablePointer<fitsfile>?

    // MARK: - Opening and closing

    /// Opens a file literally: no filters, templates or network names. Compressed files are read as they are.
    init(reading name: String) throws(CatalogError) {
        path = name
        pointer = nil
        var status: Int32 = 0
        let failed = ffdkopn(&pointer, name, READONLY, &status) != 0
        if failed { throw error(status, "cannot be opened as FITS") }
    }

    /// Creates `temporaryName` with an empty primary HDU.
    init(creating temporaryName: String, for name: String) throws(CatalogError) {
        path = name
        pointer = nil
        var status: Int32 = 0
        ffdkinit(&pointer, temporaryName, &status)
        if status == 0 { ffcrim(pointer, 8, 0, nil, &status) }
        if status != 0 { throw error(status, "cannot be created") }
    }

    deinit {
        if pointer != nil {
            var status: Int32 = 0
            ffclos(pointer, &status)
        }
    }

    /// Closes the file, which is when buffered bytes reach it.
    consuming func close() throws(CatalogError) {
        var status: Int32 = 0
        let closing = pointer
        pointer = nil
        ffclos(closing, &status)
        if status != 0 { throw error(status, "cannot be written") }
    }

    private func error(_ status: Int32, _ what: String) -> CatalogError {
        var short = [CChar](repeating: 0, count: 31)
        ffgerr(status, &short)
        var lines = [FITSTableHandle.string(short)]
        // cfitsio keeps a stack of messages; the first says most.
        var message = [CChar](repeating: 0, count: 81)
        if ffgmsg(&message) != 0 { lines.append(FITSTableHandle.string(message)) }
        ffcmsg()
        let kind: CatalogError.Kind =
            status == FILE_NOT_OPENED || status == FILE_NOT_CREATED || status == WRITE_ERROR ? .file : .format
        return CatalogError(kind, path: path, "\(what) (cfitsio: \(lines.joined(separator: "; ")))")
    }

    private static func string(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    // MARK: - HDUs

    enum HDUType {
        case image, asciiTable, binaryTable
    }

    /// Goes to the next HDU; nil at the end of the file. Compressed images count as images.
    mutating func advance() throws(CatalogError) -> HDUType? {
        var type: Int32 = 0
        var status: Int32 = 0
        var end: LONGLONG = 0
        ffghadll(pointer, nil, nil, &end, &status)
        if status != 0 { throw error(status, "has a damaged HDU") }
        guard try nextHeaderIsSane(at: end) else { return nil }
        ffmrhd(pointer, 1, &type, &status)
        if status == END_OF_FILE {
            ffcmsg()
            return nil
        }
        if status != 0 { throw error(status, "has a damaged HDU") }
        if type == BINARY_TBL { return fits_is_compressed_image(pointer, &status) != 0 ? .image : .binaryTable }
        return type == ASCII_TBL ? .asciiTable : .image
    }

    /// Looks at the header that starts at a byte, before cfitsio does: that reserves and fills 160 bytes for each of
    /// the columns that TFIELDS claims, be they a thousand million. False when the file ends there.
    private mutating func nextHeaderIsSane(at start: LONGLONG) throws(CatalogError) -> Bool {
        var status: Int32 = 0
        var card = [UInt8](repeating: 0, count: 80)
        ffmbyt(pointer, start, 0, &status)
        var isEmpty = true
        while status == 0, ffgbyt(pointer, 80, &card, &status) == 0 {
            isEmpty = false
            if card.starts(with: "END     ".utf8) { break }
            guard card.starts(with: "TFIELDS ".utf8) else { continue }
            let value = String(decoding: card[10...], as: UTF8.self).prefix { $0 != "/" }
            guard let count = Int(String(value).trimmingSpaces()), (0...999).contains(count) else {
                throw CatalogError(.format, path: path, "a table claims an impossible number of columns (TFIELDS)")
            }
        }
        // A header that does not end is cfitsio's to report.
        ffcmsg()
        return !isEmpty
    }

    /// All keywords of the current HDU, long texts joined.
    func header() throws(CatalogError) -> FITSTableHeader {
        var header = FITSTableHeader()
        var count: Int32 = 0
        var status: Int32 = 0
        ffghsp(pointer, &count, nil, &status)
        if status != 0 { throw error(status, "its header cannot be read") }
        var name = [CChar](repeating: 0, count: Int(FLEN_KEYWORD))
        var value = [CChar](repeating: 0, count: Int(FLEN_VALUE))
        var comment = [CChar](repeating: 0, count: Int(FLEN_COMMENT))
        for number in stride(from: Int32(1), through: count, by: 1) {
            ffgkyn(pointer, number, &name, &value, &comment, &status)
            if status != 0 {
                // A malformed card says nothing about the table; those that matter are missed later, by name.
                status = 0
                ffcmsg()
                continue
            }
            let key = FITSTableHandle.string(name)
            var text = FITSTableHandle.string(value)
            if key == "CONTINUE" || key == "END" { continue }
            let isText = text.first == "'"
            if isText { text = unquoted(text, key: key) }
            header.append(
                FITSTableHeader.Card(
                    name: key, value: text, comment: FITSTableHandle.string(comment), isText: isText))
        }
        return header
    }

    /// The text between the quotes; where it ends with `&`, the whole of it from the CONTINUE cards.
    private func unquoted(_ value: String, key: String) -> String {
        var content = value.dropFirst()
        if content.last == "'" { content = content.dropLast() }
        var text = String(content.replacing("''", with: "'"))
        if text.last == "&" {
            var status: Int32 = 0
            var long: UnsafeMutablePointer<CChar>?
            if ffgkls(pointer, key, &long, nil, &status) == 0, let long {
                text = String(cString: long)
                fffree(long, &status)
            } else {
                ffcmsg()
            }
        }
        while text.last == " " { text.removeLast() }
        return text
    }

    // MARK: - Writing headers

    /// Adds an empty binary table and goes to it.
    mutating func createTable(name: String, fields: [FITSTableLayout.Field]) throws(CatalogError) {
        var types = fields.map { strdup(FITSText.encoded($0.schema.name)) }
        var forms = fields.map { strdup($0.tform) }
        var units = fields.map { strdup(FITSText.encoded($0.schema.unit ?? "")) }
        defer { for text in types + forms + units { free(text) } }
        var status: Int32 = 0
        ffcrtb(pointer, BINARY_TBL, 0, Int32(fields.count), &types, &forms, &units, FITSText.encoded(name), &status)
        if status != 0 { throw error(status, "the table cannot be created") }
    }

    /// Writes a text of any length. A name of more than 8 characters becomes a HIERARCH keyword.
    mutating func write(_ name: String, _ value: String, comment: String? = nil) throws(CatalogError) {
        var status: Int32 = 0
        let isLong = FITSText.encode(value).count > 68 || name.utf8.count > 8
        if isLong { ffplsw(pointer, &status) }
        if name.utf8.count <= 8 {
            ffpkls(pointer, name, FITSText.encoded(value), comment.map(FITSText.encoded), &status)
        } else {
            // cfitsio cuts long texts under HIERARCH names, so these cards are made here.
            for card in FITSTableHeader.hierarchCards(name, FITSText.encode(value), comment.map(FITSText.encoded)) {
                ffprec(pointer, card, &status)
            }
        }
        if status != 0 { throw error(status, "the keyword \(name) cannot be written") }
    }

    /// Writes a number as it is spelt.
    mutating func write(_ name: String, number: String, comment: String?) throws(CatalogError) {
        var status: Int32 = 0
        ffprec(pointer, FITSTableHeader.numberCard(name, number, comment.map(FITSText.encoded)), &status)
        if status != 0 { throw error(status, "the keyword \(name) cannot be written") }
    }

    mutating func write(_ name: String, _ value: Int64) throws(CatalogError) {
        var status: Int32 = 0
        ffpkyj(pointer, name, value, nil, &status)
        if status != 0 { throw error(status, "the keyword \(name) cannot be written") }
    }

    /// Writes or renews CHECKSUM and DATASUM of the current HDU.
    mutating func writeChecksum() throws(CatalogError) {
        var status: Int32 = 0
        ffpcks(pointer, &status)
        if status != 0 { throw error(status, "the checksum cannot be written") }
    }

    // MARK: - Rows

    /// Writes whole rows from `row` (counted from 0) on.
    mutating func write(_ bytes: [UInt8], row: Int) throws(CatalogError) {
        var status: Int32 = 0
        var bytes = bytes
        ffptbb(pointer, Int64(row) + 1, 1, Int64(bytes.count), &bytes, &status)
        if status != 0 { throw error(status, "row \(row) cannot be written") }
    }

    /// Reads bytes that start at `offset` in `row` (both counted from 0) and may go on through later rows.
    mutating func read(row: Int, offset: Int, into bytes: inout [UInt8]) throws(CatalogError) {
        var status: Int32 = 0
        ffgtbb(pointer, Int64(row) + 1, Int64(offset) + 1, Int64(bytes.count), &bytes, &status)
        if status != 0 { throw error(status, "row \(row) cannot be read; the file may be truncated") }
    }

    /// Gives a text column (counted from 0) more bytes in every row, those already written included.
    mutating func widen(column: Int, to bytes: Int) throws(CatalogError) {
        var status: Int32 = 0
        ffmvec(pointer, Int32(column) + 1, Int64(bytes), &status)
        if status != 0 { throw error(status, "column \(column) cannot be widened") }
    }
}
