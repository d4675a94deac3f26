/// Writes VOTable 1.4 (IVOA Recommendation 2019-10-21), TABLEDATA serialisation.
enum VOTableWriter {
    static func write(_ catalog: Catalog, to path: String) throws(CatalogError) {
        var file = try PendingFile(path)
        try file.write(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
            <RESOURCE>
            <TABLE\(attribute("name", catalog.name.isEmpty ? nil : catalog.name)) nrows="\(catalog.rowCount)">

            """)
        for entry in catalog.metadata {
            try file.write(
                "<PARAM" + attribute("name", entry.key) + textType(isASCII: isASCII(entry.value))
                    + attribute("value", entry.value) + description(entry.comment, closing: "PARAM"))
        }
        for column in catalog.columns { try file.write(field(column)) }
        try file.write("<DATA>\n<TABLEDATA>\n")
        for row in 0..<catalog.rowCount {
            var line = "<TR>"
            for column in catalog.columns {
                if let text = CellText.votable.text(column.values, row) {
                    line += "<TD>" + escaped(text, inAttribute: false) + "</TD>"
                } else {
                    line += "<TD/>"
                }
            }
            try file.write(line + "</TR>\n")
        }
        try file.write("</TABLEDATA>\n</DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n")
        try file.commit()
    }

    private static func field(_ column: Column) -> String {
        var text = "<FIELD" + attribute("name", column.name)
        switch column.values {
        case .string(let cells): text += textType(isASCII: cells.allSatisfy { $0.map(isASCII) ?? true })
        case .bool: text += " datatype=\"boolean\""
        case .uint8: text += " datatype=\"unsignedByte\""
        case .int16: text += " datatype=\"short\""
        case .int32: text += " datatype=\"int\""
        case .int64: text += " datatype=\"long\""
        case .float: text += " datatype=\"float\""
        case .double: text += " datatype=\"double\""
        case .floatVector(_, let width): text += " datatype=\"float\" arraysize=\"\(width)\""
        case .doubleVector(_, let width): text += " datatype=\"double\" arraysize=\"\(width)\""
        }
        text += attribute("unit", column.unit) + attribute("ucd", column.ucd)
        if let format = column.format {
            if let width = format.width, width > 0 { text += " width=\"\(width)\"" }
            text += attribute("precision", format.votablePrecision)
        }
        return text + description(column.description, closing: "FIELD")
    }

    private static func textType(isASCII: Bool) -> String {
        " datatype=\"\(isASCII ? "char" : "unicodeChar")\" arraysize=\"*\""
    }

    private static func isASCII(_ text: String) -> Bool { text.utf8.allSatisfy { $0 < 0x80 } }

    private static func description(_ text: String?, closing element: String) -> String {
        guard let text else { return "/>\n" }
        return ">\n<DESCRIPTION>" + escaped(text, inAttribute: false) + "</DESCRIPTION>\n</\(element)>\n"
    }

    private static func attribute(_ name: String, _ value: String?) -> String {
        value.map { " \(name)=\"\(escaped($0, inAttribute: true))\"" } ?? ""
    }

    /// Text as XML 1.0 content. Control characters, which XML cannot express in any way, become U+FFFD.
    static func escaped(_ text: String, inAttribute: Bool) -> String {
        let plain = text.utf8.allSatisfy {
            $0 >= 0x20 && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: "&")
                && $0 != UInt8(ascii: "\"") && $0 < 0x7f
        }
        if plain { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            case "\r": result += "&#13;"
            case "\n", "\t":
                if inAttribute { result += "&#\(scalar.value);" } else { result.unicodeScalars.append(scalar) }
            default:
                let allowed = scalar.value >= 0x20 && scalar.value != 0xfffe && scalar.value != 0xffff
                result.unicodeScalars.append(allowed ? scalar : "\u{fffd}")
            }
        }
        return result
    }
}
