/// Reads ECSV 1.0 files, whether written here, by astropy or by hand.
enum ECSVReader {
    static func read(_ bytes: [UInt8], path: String) throws(CatalogError) -> Catalog {
        let (yaml, bodyStart, bodyLine) = try headerText(bytes, path: path)
        let header = try ECSVHeader(yaml: yaml, path: path)
        let dialect: DelimitedText.Dialect =
            header.delimiter == UInt8(ascii: " ") ? .blanks : .separated(by: header.delimiter)
        var text = DelimitedText(
            bytes, from: bodyStart, line: bodyLine, path: path, dialect: dialect, comments: true)
        var fields: [DelimitedText.Field] = []

        let names = header.columns.map(\.name)
        if try text.nextRow(into: &fields) {
            guard fields.map(\.text) == names else {
                throw CatalogError(
                    .format, path: path,
                    "the row of names (\(fields.map(\.text).prefix(8).joined(separator: " "))) differs from the header")
            }
        } else if !names.isEmpty {
            throw CatalogError(.format, path: path, "the row of column names is missing")
        }

        let kept = header.columns.indices.filter { header.skipped[$0] == nil }
        var builders = kept.map { ColumnBuilder(header.columns[$0].type, bracketedVectors: true) }
        var row = 0
        while try text.nextRow(into: &fields) {
            guard fields.count == names.count else {
                throw CatalogError(
                    .format, path: path, row: row, "\(fields.count) fields in a table of \(names.count) columns")
            }
            for (slot, index) in kept.enumerated() where !builders[slot].append(fields[index].text) {
                throw CatalogError(
                    .format, path: path, row: row, column: names[index],
                    "'\(fields[index].text.prefix(40))' is no \(header.columns[index].type)")
            }
            row += 1
        }

        do {
            var catalog = try Catalog(
                name: header.name,
                columns: zip(kept, builders).map { Column(header.columns[$0], $1.values) }, metadata: header.metadata)
            catalog.skippedColumns = header.skipped.sorted { $0.key < $1.key }
                .map { Catalog.SkippedColumn(name: names[$0.key], reason: $0.value) }
            return catalog
        } catch {
            throw CatalogError(.format, path: path, column: error.column, error.reason)
        }
    }

    /// The YAML text of the leading comment lines, and where the table itself starts.
    private static func headerText(
        _ bytes: [UInt8], path: String
    ) throws(CatalogError) -> (yaml: String, start: Int, line: Int) {
        var position = 0
        var line = 1
        var yaml: [UInt8] = []
        while position < bytes.count, bytes[position] == UInt8(ascii: "#") {
            let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            var content = bytes[(position + 1)..<end]
            if content.first == UInt8(ascii: " ") { content = content.dropFirst() }
            if content.last == UInt8(ascii: "\r") { content = content.dropLast() }
            if line == 1 {
                guard content.starts(with: Array("%ECSV ".utf8)) else {
                    throw CatalogError(.format, path: path, "the first line is not '# %ECSV 1.0'")
                }
            } else {
                yaml += content
                yaml.append(UInt8(ascii: "\n"))
            }
            position = min(end + 1, bytes.count)
            line += 1
        }
        guard line > 1 else { throw CatalogError(.format, path: path, "the first line is not '# %ECSV 1.0'") }
        guard let text = String(validating: yaml, as: UTF8.self) else {
            throw CatalogError(.format, path: path, "the ECSV header is not UTF-8 text")
        }
        return (text, position, line)
    }
}
