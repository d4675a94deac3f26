/// Reads the first table with data of a VOTable (versions 1.0 to 1.5), in any of the serialisations TABLEDATA, BINARY
/// and BINARY2; FITS inside VOTable is refused.
enum VOTableReader {
    static func read(_ path: String) throws(CatalogError) -> Catalog {
        let document = VOTableDocument(path: path)
        try XMLEvents.parse(try FileBytes.read(path), path: path, handler: document)
        return try document.catalog()
    }
}

/// Collects one table while the document goes by.
private final class VOTableDocument: XMLEventHandler {
    private enum Place {
        case outside, table, tableData, stream, done
    }

    private let path: String
    private var place = Place.outside
    private var sawRoot = false
    private var name = ""
    private var fields: [VOTableField] = []
    private var metadata: [CatalogMetadata] = []
    private var builders: [ColumnBuilder] = []
    private var serialisation = ""
    private var columns: [Column] = []

    /// Elements that are open, innermost last.
    private var open: [String] = []
    private var content = ""
    private var collects = false
    private var cell = 0
    private var row = 0

    init(path: String) {
        self.path = path
    }

    func start(_ element: String, _ attributes: [String: String]) throws(CatalogError) {
        if !sawRoot {
            guard element == "VOTABLE" else {
                throw CatalogError(.format, path: path, "the document is <\(element)>, no VOTABLE")
            }
            sawRoot = true
        }
        switch (element, place) {
        case ("TABLE", .outside):
            place = .table
            name = attributes["name"] ?? ""
            (fields, metadata) = ([], [])
        case ("FIELD", .table): fields.append(try VOTableField(attributes, path: path))
        case ("PARAM", .table):
            metadata.append(CatalogMetadata(attributes["name"] ?? "", attributes["value"] ?? ""))
        case ("VALUES", .table) where open.last == "FIELD" && !fields.isEmpty:
            fields[fields.count - 1].null = attributes["null"]
        case ("DESCRIPTION", .table): begin()
        case ("TABLEDATA", .table):
            place = .tableData
            serialisation = element
            builders = fields.map { ColumnBuilder($0.schema.type, bracketedVectors: false) }
        case ("BINARY", .table), ("BINARY2", .table): serialisation = element
        case ("FITS", .table):
            throw CatalogError(.unsupported, path: path, "the table's data is in a FITS file inside the VOTable")
        case ("STREAM", .table):
            guard attributes["href"] == nil, attributes["encoding"] == "base64" else {
                throw CatalogError(.unsupported, path: path, "the table's data is not base64 text inside the VOTable")
            }
            place = .stream
            begin()
        case ("TR", .tableData): cell = 0
        case ("TD", .tableData):
            guard cell < fields.count else {
                throw CatalogError(.format, path: path, row: row, "has more cells than the table has fields")
            }
            guard attributes["encoding"] == nil else {
                throw CatalogError(.unsupported, path: path, row: row, "a cell has an encoding")
            }
            begin()
        default: break
        }
        open.append(element)
    }

    func text(_ text: String) {
        if collects { content += text }
    }

    func end(_ element: String) throws(CatalogError) {
        if !open.isEmpty { open.removeLast() }
        switch (element, place) {
        case ("DESCRIPTION", .table):
            let text = take()
            if open.last == "FIELD", !fields.isEmpty {
                fields[fields.count - 1].schema.description = text
            } else if open.last == "PARAM", !metadata.isEmpty {
                metadata[metadata.count - 1].comment = text
            }
        case ("TD", .tableData):
            try append(take())
            cell += 1
        case ("TR", .tableData):
            guard cell == fields.count else {
                throw CatalogError(
                    .format, path: path, row: row, "has \(cell) cells in a table of \(fields.count) fields")
            }
            row += 1
        case ("TABLEDATA", .tableData):
            columns = zip(fields, builders).filter { $0.0.skipReason == nil }.map { Column($0.0.schema, $0.1.values) }
            place = .done
        case ("STREAM", .stream):
            columns = try VOTableBinary.decode(
                take(), fields: fields, hasNullFlags: serialisation == "BINARY2", path: path)
            place = .done
        case ("TABLE", .table):
            if serialisation.isEmpty {
                // A table without data: later ones may have some, so it counts only when none does.
                place = .outside
            }
        default: break
        }
    }

    private func begin() {
        content = ""
        collects = true
    }

    private func take() -> String {
        collects = false
        return content
    }

    private func append(_ raw: String) throws(CatalogError) {
        let field = fields[cell]
        guard field.skipReason == nil else { return }
        var text: String? = raw
        if case .string = field.schema.type {
            // Blanks belong to the text.
        } else {
            let trimmed = raw.trimmingWhitespace()
            text =
                trimmed == field.null || (field.schema.type == .bool && (trimmed == "?" || trimmed == " "))
                ? nil : trimmed
        }
        guard builders[cell].append(text) else {
            throw CatalogError(
                .format, path: path, row: row, column: field.schema.name,
                "'\(raw.prefix(40))' is no \(field.schema.type)")
        }
    }

    func catalog() throws(CatalogError) -> Catalog {
        guard place == .done || !fields.isEmpty else {
            throw CatalogError(.format, path: path, "the VOTable has no table")
        }
        if place != .done {
            columns = fields.filter { $0.skipReason == nil }.map { Column($0.schema, .empty($0.schema.type)) }
        }
        do {
            var catalog = try Catalog(name: name, columns: columns, metadata: metadata)
            catalog.skippedColumns = fields.compactMap { field in
                field.skipReason.map { Catalog.SkippedColumn(name: field.schema.name, reason: $0) }
            }
            return catalog
        } catch {
            throw CatalogError(.format, path: path, column: error.column, error.reason)
        }
    }
}

extension String {
    /// Without XML white space at either end.
    func trimmingWhitespace() -> String {
        var rest = Substring(self).utf8
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }
        while let first = rest.first, isSpace(first) { rest = rest.dropFirst() }
        while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
        return String(Substring(rest))
    }
}
