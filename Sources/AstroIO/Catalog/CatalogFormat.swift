/// The file formats of catalogs.
public enum CatalogFormat: String, Sendable, CaseIterable {
    /// FITS binary table, the first one after an empty primary HDU.
    case fits
    /// Enhanced character-separated values 1.0: text with a YAML header that keeps units and types.
    case ecsv
    /// Comma-separated values with a header row; types are found by looking, units are lost.
    case csv
    /// VOTable 1.4, TABLEDATA.
    case votable

    /// The format that the file's extension names (`.fits .fit .fts .ecsv .csv .vot .votable .xml`, `.fits.gz`).
    public init?(path: String) {
        let name = path.lowercased()
        let stem = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
        guard let dot = stem.lastIndex(of: "."), stem.lastIndex(of: "/").map({ $0 < dot }) ?? true else { return nil }
        switch stem[stem.index(after: dot)...] {
        case "fits", "fit", "fts", "cat", "ldac": self = .fits
        case "ecsv": self = .ecsv
        case "csv": self = .csv
        case "vot", "votable", "xml": self = .votable
        default: return nil
        }
    }

    /// The format that the first bytes show; CSV has no mark of its own and is nil.
    static func detect(_ start: ArraySlice<UInt8>) -> CatalogFormat? {
        if start.starts(with: "SIMPLE  ".utf8) || start.starts(with: [0x1f, 0x8b]) { return .fits }
        if start.starts(with: "# %ECSV".utf8) || start.starts(with: "#%ECSV".utf8) { return .ecsv }
        var text = start
        if text.starts(with: [0xef, 0xbb, 0xbf]) { text = text.dropFirst(3) }
        text = text.drop { $0 == 0x20 || (0x09...0x0d).contains($0) }
        if text.first == UInt8(ascii: "<") { return .votable }
        return nil
    }
}

extension Catalog {
    /// Reads a table in any of the formats, told by the file's first bytes rather than by its name.
    ///
    /// - Parameter hdu: for FITS, the extension's name (EXTNAME) or number; nil is the first binary table that is
    ///   not SExtractor's header table (`LDAC_IMHEAD`).
    /// - Throws: `CatalogError` for a file that is missing, truncated, malformed or not a table.
    public static func read(_ path: String, hdu: FITSTableReader.HDU? = nil) throws(CatalogError) -> Catalog {
        let start = try FileBytes.read(path, atMost: 512)
        guard !start.isEmpty else { throw CatalogError(.format, path: path, "the file is empty") }
        switch CatalogFormat.detect(start[...]) {
        case .fits:
            var reader = try FITSTableReader(path, hdu: hdu)
            return try reader.readAll()
        case .ecsv: return try ECSVReader.read(try FileBytes.read(path), path: path)
        case .votable: return try VOTableReader.read(path)
        case .csv, nil:
            guard !start.contains(0) else {
                throw CatalogError(.format, path: path, "is no FITS, ECSV, CSV or VOTable file")
            }
            return try CSVReader.read(try FileBytes.read(path), path: path)
        }
    }

    /// Writes the table under a temporary name and renames it, so that no reader meets half of it.
    ///
    /// - Parameter format: nil takes the format of the extension.
    /// - Throws: `CatalogError` naming file, row and column.
    public func write(to path: String, format: CatalogFormat? = nil) throws(CatalogError) {
        guard let format = format ?? CatalogFormat(path: path) else {
            throw CatalogError(
                .unsupported, path: path, "the extension names no catalog format (fits, ecsv, csv, vot)")
        }
        switch format {
        case .fits:
            var appender = try FITSTableAppender(
                path, name: name, columns: schema, metadata: metadata, missing: missingIntegers())
            try appender.append(self)
            try appender.finish()
        case .ecsv, .csv:
            var writer = try TextTableWriter(
                path, format: format == .ecsv ? .ecsv : .csv, name: name, columns: schema, metadata: metadata)
            try writer.append(self)
            try writer.finish()
        case .votable: try VOTableWriter.write(self, to: path)
        }
    }
}
