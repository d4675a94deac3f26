/// Splits delimited text (CSV as RFC 4180 has it, and the body of ECSV) into fields.
///
/// A field in double quotes may hold delimiters, line ends and doubled quotes. Lines end with LF, CRLF or CR.
/// Empty lines are skipped.
struct DelimitedText {
    enum Dialect {
        /// Fields are separated by the given byte; spaces belong to the field.
        case separated(by: UInt8)
        /// Fields are separated by runs of blanks; `#` at the start of a line is a comment.
        case blanks
    }

    struct Field {
        var text: String
        var quoted: Bool
    }

    private let bytes: [UInt8]
    private let path: String
    private let delimiter: UInt8
    private let collapsesBlanks: Bool
    private let hasComments: Bool
    private var position: Int
    /// The line on which the next row starts, counted from 1.
    private(set) var line: Int

    init(_ bytes: [UInt8], from start: Int, line: Int, path: String, dialect: Dialect, comments: Bool) {
        self.bytes = bytes
        self.path = path
        self.position = start
        self.line = line
        self.hasComments = comments
        switch dialect {
        case .separated(let byte): (delimiter, collapsesBlanks) = (byte, false)
        case .blanks: (delimiter, collapsesBlanks) = (0x20, true)
        }
    }

    private static let quote = UInt8(ascii: "\"")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    /// Reads the next row into `fields`; false at the end of the text.
    /// - Throws: `CatalogError` (`format`) for an open quote, text after a closing quote, or bytes that are not UTF-8.
    mutating func nextRow(into fields: inout [Field]) throws(CatalogError) -> Bool {
        fields.removeAll(keepingCapacity: true)
        skipEmptyLines()
        guard position < bytes.count else { return false }
        while true {
            if collapsesBlanks { skipBlanks() }
            if collapsesBlanks, !fields.isEmpty, atLineEnd { break }
            if position < bytes.count, bytes[position] == DelimitedText.quote {
                fields.append(try quotedField())
            } else {
                let start = position
                while position < bytes.count, !isLineEnd(bytes[position]), !isDelimiter(bytes[position]) {
                    position += 1
                }
                fields.append(Field(text: try text(start..<position), quoted: false))
            }
            if collapsesBlanks {
                if atLineEnd { break }
            } else {
                guard position < bytes.count, bytes[position] == delimiter else { break }
                position += 1
            }
        }
        endLine()
        return true
    }

    private var atLineEnd: Bool { position >= bytes.count || isLineEnd(bytes[position]) }

    private func isLineEnd(_ byte: UInt8) -> Bool {
        byte == DelimitedText.lineFeed || byte == DelimitedText.carriageReturn
    }

    private func isDelimiter(_ byte: UInt8) -> Bool {
        byte == delimiter || (collapsesBlanks && byte == 0x09)
    }

    private mutating func skipBlanks() {
        while position < bytes.count, isDelimiter(bytes[position]) { position += 1 }
    }

    private mutating func skipEmptyLines() {
        while position < bytes.count {
            if isLineEnd(bytes[position]) {
                endLine()
            } else if hasComments, bytes[position] == UInt8(ascii: "#") {
                while !atLineEnd { position += 1 }
            } else if collapsesBlanks, isDelimiter(bytes[position]) {
                skipBlanks()
            } else {
                return
            }
        }
    }

    /// Steps over one line end.
    private mutating func endLine() {
        guard position < bytes.count else { return }
        if bytes[position] == DelimitedText.carriageReturn, position + 1 < bytes.count,
            bytes[position + 1] == DelimitedText.lineFeed
        {
            position += 1
        }
        position += 1
        line += 1
    }

    private mutating func quotedField() throws(CatalogError) -> Field {
        let openedOn = line
        var content: [UInt8] = []
        position += 1
        while true {
            guard position < bytes.count else {
                throw CatalogError(.format, path: path, "the quote that opens on line \(openedOn) is not closed")
            }
            let byte = bytes[position]
            position += 1
            if byte == DelimitedText.quote {
                guard position < bytes.count, bytes[position] == DelimitedText.quote else { break }
                position += 1
            } else if byte == DelimitedText.lineFeed {
                line += 1
            }
            content.append(byte)
        }
        guard atLineEnd || isDelimiter(bytes[position]) else {
            throw CatalogError(.format, path: path, "line \(line): text follows a closing quote")
        }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw CatalogError(.format, path: path, "line \(line) is not UTF-8 text")
        }
        return Field(text: text, quoted: true)
    }

    private func text(_ range: Range<Int>) throws(CatalogError) -> String {
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw CatalogError(.format, path: path, "line \(line) is not UTF-8 text")
        }
        return text
    }
}
