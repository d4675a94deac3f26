internal import Foundation

/// The BINARY and BINARY2 serialisations of VOTable (version 1.4, sections 5.3 and 5.4): big-endian cells, row after
/// row, in base64; in BINARY2 each row starts with one bit a field that says whether the cell is missing.
enum VOTableBinary {
    static func decode(
        _ base64: String, fields: [VOTableField], hasNullFlags: Bool, path: String
    ) throws(CatalogError) -> [Column] {
        guard let data = Data(base64Encoded: base64, options: .ignoreUnknownCharacters) else {
            throw CatalogError(.format, path: path, "the table's data is not valid base64")
        }
        var cursor = Cursor(bytes: [UInt8](data), path: path)
        var builders = fields.map { ColumnBuilder($0.schema.type, bracketedVectors: false) }
        guard !fields.isEmpty else { return [] }
        while cursor.position < cursor.bytes.count {
            let rowStart = cursor.position
            let flags = hasNullFlags ? try cursor.take((fields.count + 7) / 8) : []
            for (index, field) in fields.enumerated() {
                let flagged = hasNullFlags && flags[flags.startIndex + index / 8] & (0x80 >> UInt8(index % 8)) != 0
                let text = try cursor.cell(field)
                guard field.skipReason == nil else { continue }
                let isMissing = flagged || (text == field.null && text != nil)
                guard builders[index].append(isMissing ? nil : text) else {
                    throw CatalogError(
                        .format, path: path, row: cursor.row, column: field.schema.name,
                        "the cell holds no \(field.schema.type)")
                }
            }
            guard cursor.position > rowStart else {
                throw CatalogError(.format, path: path, "the rows of the table have no bytes")
            }
            cursor.row += 1
        }
        return zip(fields, builders).filter { $0.0.skipReason == nil }.map { Column($0.0.schema, $0.1.values) }
    }

    private struct Cursor {
        let bytes: [UInt8]
        let path: String
        var position = 0
        var row = 0

        mutating func take(_ count: Int) throws(CatalogError) -> ArraySlice<UInt8> {
            guard count >= 0, count <= bytes.count - position else {
                throw CatalogError(.format, path: path, row: row, "the table's data ends inside a row")
            }
            defer { position += count }
            return bytes[position..<position + count]
        }

        /// The next cell in the spelling that `ColumnBuilder` reads; nil where it is missing or skipped.
        mutating func cell(_ field: VOTableField) throws(CatalogError) -> String? {
            var count = field.count ?? 0
            if field.count == nil {
                count = Int(Int32(bitPattern: UInt32(truncatingIfNeeded: integer(try take(4)))))
            }
            let size =
                field.primitive == .bit
                ? (count + 7) / 8 : count.multipliedReportingOverflow(by: field.primitive.size).partialValue
            let raw = try take(size)
            guard field.skipReason == nil else { return nil }
            switch field.primitive {
            case .char: return FITSText.text(raw)
            case .unicodeChar:
                let units = stride(from: raw.startIndex, to: raw.endIndex, by: 2).map {
                    UInt16(raw[$0]) << 8 | UInt16(raw[$0 + 1])
                }
                return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
            case .boolean:
                let letter = raw.first.map { String(UnicodeScalar($0)) } ?? ""
                return ["?", " ", "\0"].contains(letter) ? nil : letter
            case .bit: return raw.contains { $0 != 0 } ? "1" : "0"
            default:
                let size = field.primitive.size
                return stride(from: raw.startIndex, to: raw.endIndex, by: size)
                    .map { number(raw[$0..<$0 + size], field.primitive) }.joined(separator: " ")
            }
        }

        private func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
            bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }

        private func number(_ bytes: ArraySlice<UInt8>, _ primitive: VOTableField.Primitive) -> String {
            let bits = integer(bytes)
            return switch primitive {
            case .short: "\(Int16(truncatingIfNeeded: bits))"
            case .int: "\(Int32(truncatingIfNeeded: bits))"
            case .long: "\(Int64(bitPattern: bits))"
            case .float: "\(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))"
            case .double: "\(Double(bitPattern: bits))"
            default: "\(bits)"
            }
        }
    }
}
