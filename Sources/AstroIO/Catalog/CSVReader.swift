/// Reads CSV with a header row and finds the type of each column from its cells.
///
/// A column is `int64` when every cell that is not empty is an integer, else `double`, else `bool` (true/false in
/// any case), else a `doubleVector` (JSON lists of numbers, all of one length), else text. Integers with a leading
/// zero are text, since they are identifiers. A column without a name is called `col1`, `col2` … by its place.
enum CSVReader {
    static func read(_ bytes: [UInt8], path: String) throws(CatalogError) -> Catalog {
        let start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        var text = DelimitedText(
            bytes, from: start, line: 1, path: path, dialect: .separated(by: UInt8(ascii: ",")), comments: false)
        var fields: [DelimitedText.Field] = []
        guard try text.nextRow(into: &fields) else {
            throw CatalogError(.format, path: path, "the file is empty: not even a header row")
        }
        if fields.count == 1, fields[0].text.hasPrefix("#   1 ") {
            throw CatalogError(.unsupported, path: path, "is a SExtractor ASCII_HEAD table; write FITS_LDAC instead")
        }
        // Data frames write their index as a column without a name.
        let names = fields.enumerated().map { index, field in
            let name = field.quoted ? field.text : field.text.trimmingSpaces()
            return name.isEmpty ? "col\(index + 1)" : name
        }
        try Catalog.checkNames(names, path: path)

        var cells = [[String?]](repeating: [], count: names.count)
        var row = 0
        while try text.nextRow(into: &fields) {
            guard fields.count == names.count else {
                throw CatalogError(
                    .format, path: path, row: row,
                    "\(fields.count) fields in a table of \(names.count) columns (before line \(text.line))")
            }
            for (index, field) in fields.enumerated() {
                cells[index].append(field.text.isEmpty ? nil : field.text)
            }
            row += 1
        }
        return try Catalog(columns: zip(names, cells).map { Column($0, typed($1)) })
    }

    private static func typed(_ cells: [String?]) -> ColumnValues {
        guard let first = cells.first(where: { $0 != nil }) ?? nil else { return .string(cells) }
        for type in candidates(first.trimmingSpaces()) {
            var builder = ColumnBuilder(type, bracketedVectors: true)
            var fits = true
            for cell in cells {
                let text = cell?.trimmingSpaces()
                if type == .int64, let text, isIdentifier(text) { fits = false }
                if type == .bool, let text, text.utf8.count == 1 { fits = false }
                guard fits, builder.append(text) else {
                    fits = false
                    break
                }
            }
            if fits { return builder.values }
        }
        return .string(cells)
    }

    private static func candidates(_ first: String) -> [ColumnType] {
        if first.hasPrefix("[") {
            guard let values = ColumnBuilder.vector(first, Double.self) else { return [] }
            return [.doubleVector(width: values.count)]
        }
        if isIdentifier(first) { return [] }
        return [.int64, .double, .bool]
    }

    /// `007`, and words that a number parser would take for one.
    private static func isIdentifier(_ text: String) -> Bool {
        let digits = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        guard digits.count > 1, digits.first == UInt8(ascii: "0") else { return false }
        return digits.allSatisfy { (0x30...0x39).contains($0) }
    }
}
