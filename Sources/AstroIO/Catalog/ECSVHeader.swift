internal import Yams

/// The YAML header of an ECSV 1.0 file: columns, table metadata, delimiter.
///
/// Source: astropy proposal APE 6, https://github.com/astropy/astropy-APEs/blob/main/APE6.rst.
/// Written by hand (every text is a JSON string, which YAML reads); read through libyaml, since other writers use
/// all of YAML's forms.
struct ECSVHeader {
    var name = ""
    /// In the order of the file; `skipped` says which cannot be held.
    var columns: [ColumnDescription] = []
    var skipped: [Int: String] = [:]
    var metadata: [CatalogMetadata] = []
    var delimiter = UInt8(ascii: " ")

    init(name: String, columns: [ColumnDescription], metadata: [CatalogMetadata]) {
        self.name = name
        self.columns = columns
        self.metadata = metadata
    }

    // MARK: - Writing

    /// All header lines, each beginning with `# `.
    var text: String {
        var lines = ["%ECSV 1.0", "---", columns.isEmpty ? "datatype: []" : "datatype:"]
        for column in columns {
            var items = ["name: \(ECSVHeader.json(column.name))"]
            if let unit = column.unit { items.append("unit: \(ECSVHeader.json(unit))") }
            let (datatype, subtype) = ECSVHeader.datatype(column.type)
            items.append("datatype: \(datatype)")
            if let subtype { items.append("subtype: '\(subtype)'") }
            if let format = column.format {
                items.append("format: \(ECSVHeader.json(format.pythonSpecification))")
            }
            if let description = column.description { items.append("description: \(ECSVHeader.json(description))") }
            if let ucd = column.ucd { items.append("meta: {ucd: \(ECSVHeader.json(ucd))}") }
            lines.append("- {\(items.joined(separator: ", "))}")
        }
        var entries = metadata
        if !name.isEmpty { entries.insert(CatalogMetadata("name", name), at: 0) }
        if !entries.isEmpty {
            lines.append("meta: !!omap")
            for entry in entries {
                let value = entry.isNumeral ? entry.value : ECSVHeader.json(entry.value)
                lines.append("- {\(ECSVHeader.json(entry.key)): \(value)}")
            }
        }
        lines.append("schema: astropy-2.0")
        return lines.map { "# \($0)\n" }.joined()
    }

    private static func datatype(_ type: ColumnType) -> (String, subtype: String?) {
        switch type {
        case .string: ("string", nil)
        case .bool: ("bool", nil)
        case .uint8: ("uint8", nil)
        case .int16: ("int16", nil)
        case .int32: ("int32", nil)
        case .int64: ("int64", nil)
        case .float: ("float32", nil)
        case .double: ("float64", nil)
        case .floatVector(let width): ("string", "float32[\(width)]")
        case .doubleVector(let width): ("string", "float64[\(width)]")
        }
    }

    /// A JSON string literal, which is also a YAML one; everything outside printable ASCII is escaped where YAML
    /// would not take it as it is.
    private static func json(_ text: String) -> String {
        var literal = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": literal += "\\\""
            case "\\": literal += "\\\\"
            case "\n": literal += "\\n"
            case "\r": literal += "\\r"
            case "\t": literal += "\\t"
            default:
                let printable = (0x20...0x7e).contains(scalar.value) || (0xa0...0xd7ff).contains(scalar.value)
                if printable {
                    literal.unicodeScalars.append(scalar)
                } else if scalar.value <= 0xffff {
                    literal += "\\u" + ECSVHeader.hexadecimal(scalar.value, digits: 4)
                } else {
                    literal += "\\U" + ECSVHeader.hexadecimal(scalar.value, digits: 8)
                }
            }
        }
        return literal + "\""
    }

    private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    // MARK: - Reading

    private static let maximumLength = 16 << 20

    /// Reads the header lines, given without their `# `.
    init(yaml: String, path: String) throws(CatalogError) {
        guard yaml.utf8.count <= ECSVHeader.maximumLength else {
            throw CatalogError(.format, path: path, "the ECSV header is longer than 16 MB")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            let reason = "\(error)".split(separator: "\n").first.map(String.init) ?? "unknown"
            throw CatalogError(.format, path: path, "the ECSV header is not valid YAML (\(reason))")
        }
        guard let root, let datatype = root["datatype"], let entries = datatype.sequence.map({ Array($0) }) else {
            throw CatalogError(.format, path: path, "the ECSV header has no 'datatype' list")
        }
        if let delimiterNode: Node = root["delimiter"], let text = delimiterNode.scalar?.string {
            guard text == " " || text == "," else {
                throw CatalogError(.format, path: path, "ECSV allows blank or comma as delimiter, this has '\(text)'")
            }
            delimiter = text.utf8.first ?? delimiter
        }
        for entry in entries { try addColumn(entry, path: path) }
        if let meta = root["meta"] { addMetadata(meta) }
    }

    private mutating func addColumn(_ entry: Node, path: String) throws(CatalogError) {
        guard let name = entry["name"]?.scalar?.string, let datatype = entry["datatype"]?.scalar?.string else {
            throw CatalogError(.format, path: path, "column \(columns.count) of the ECSV header lacks name or datatype")
        }
        var type = ColumnType.text
        switch datatype {
        case "string":
            if let subtype = entry["subtype"]?.scalar?.string {
                if let vector = ECSVHeader.vectorType(subtype) {
                    type = vector
                } else {
                    skipped[columns.count] = "cells of subtype \(subtype)"
                }
            }
        case "bool": type = .bool
        case "uint8": type = .uint8
        case "int8", "int16": type = .int16
        case "uint16", "int32": type = .int32
        case "uint32", "int64", "uint64": type = .int64
        case "float16", "float32": type = .float
        case "float64": type = .double
        case "float128", "complex64", "complex128", "complex256": skipped[columns.count] = "values of type \(datatype)"
        default:
            throw CatalogError(.format, path: path, column: name, "'\(datatype)' is no ECSV datatype")
        }
        columns.append(
            ColumnDescription(
                name, type, unit: entry["unit"]?.scalar?.string,
                ucd: ECSVHeader.lookup("ucd", in: entry["meta"]),
                description: entry["description"]?.scalar?.string,
                format: (entry["format"]?.scalar?.string).flatMap { DisplayFormat(pythonSpecification: $0) }))
    }

    /// `float32[8]`, and integer vectors as doubles where those hold them exactly.
    private static func vectorType(_ subtype: String) -> ColumnType? {
        guard let open = subtype.firstIndex(of: "["), subtype.last == "]",
            let width = Int(subtype[subtype.index(after: open)...].dropLast()), width > 0
        else { return nil }
        return switch subtype[..<open] {
        case "float16", "float32": .floatVector(width: width)
        case "float64", "int8", "int16", "int32", "uint8", "uint16", "uint32": .doubleVector(width: width)
        default: nil
        }
    }

    private mutating func addMetadata(_ node: Node) {
        for (key, value) in ECSVHeader.pairs(node) {
            guard let key = key.scalar?.string, !key.hasPrefix("__") else { continue }
            let text: String
            if let scalar = value.scalar {
                text = scalar.string
            } else if let items = value.sequence {
                // astropy keeps comment lines as a list of texts.
                text = items.compactMap { $0.scalar?.string }.joined(separator: "\n")
            } else {
                continue
            }
            if key == "name" || (key == "EXTNAME" && name.isEmpty) {
                name = text
            } else if value.scalar?.style == .plain {
                metadata.append(CatalogMetadata(key, unquoted: text))
            } else {
                metadata.append(CatalogMetadata(key, text))
            }
        }
    }

    private static func lookup(_ key: String, in node: Node?) -> String? {
        guard let node else { return nil }
        return pairs(node).first { $0.0.scalar?.string == key }?.1.scalar?.string
    }

    /// The entries of a mapping, or of a list of mappings (`!!omap`).
    private static func pairs(_ node: Node) -> [(Node, Node)] {
        if let mapping = node.mapping { return mapping.map { ($0.key, $0.value) } }
        return node.sequence?.flatMap { $0.mapping?.map { ($0.key, $0.value) } ?? [] } ?? []
    }
}
