internal import Foundation

/// The columns that every catalog has under one name or another: identifier, position, image file.
///
/// Surveys and programs disagree on names, so each role is a list of known ones, the most specific first. Case does
/// not count. Where a table has several, the first of the list wins; of two columns that differ only in case the
/// exact spelling of the list wins, then the one further left.
public enum ColumnRole: Sendable, CaseIterable {
    /// Unique identifier, text or integer.
    case identifier
    /// Right ascension, ICRS.
    case rightAscension
    /// Declination, ICRS.
    case declination
    /// The image file, or a JSON list of files.
    case file

    /// The accepted names in order of priority.
    public var names: [String] {
        switch self {
        case .identifier:
            [
                "id_str",  // Zoobot, and what this program writes
                "object_id",  // Euclid, MultimodalUniverse
                "objectId", "diaObjectId",  // Rubin
                "source_id", "SourceID",  // Gaia, Cutana
                "dr8_id", "ls_id", "targetid",  // Legacy Survey, DESI
                "objid", "dr7objid", "specobjid",  // SDSS
                "iauname", "galaxy_id", "asset_id",  // Galaxy Zoo
                "id", "NUMBER", "label", "name",  // SExtractor, photutils
            ]
        case .rightAscension:
            [
                "ra", "right_ascension", "ALPHA_J2000", "coord_ra", "ra_deg", "raj2000", "RA_ICRS", "ALPHAWIN_J2000",
                "ra_mean", "target_ra",
            ]
        case .declination:
            [
                "dec", "declination", "DELTA_J2000", "coord_dec", "dec_deg", "dej2000", "DE_ICRS", "DELTAWIN_J2000",
                "dec_mean", "target_dec",
            ]
        case .file: ["file_loc", "fits_file_paths", "filename", "file_name", "file_path", "file", "path"]
        }
    }
}

extension Catalog {
    /// The column that plays a role, by the names of `ColumnRole`.
    public func column(for role: ColumnRole) -> Column? {
        for name in role.names {
            if let found = self[name] { return found }
        }
        return nil
    }

    public var idColumn: Column? { column(for: .identifier) }
    /// See `positions` for the values in degrees: Rubin writes radians.
    public var raColumn: Column? { positionColumns?.ra ?? column(for: .rightAscension) }
    public var decColumn: Column? { positionColumns?.dec ?? column(for: .declination) }
    public var fileColumn: Column? { column(for: .file) }

    /// Right ascension and declination from the same naming scheme, so that `ra` of one does not meet
    /// `DELTA_J2000` of another.
    private var positionColumns: (ra: Column, dec: Column)? {
        for (ra, dec) in zip(ColumnRole.rightAscension.names, ColumnRole.declination.names) {
            if let ra = self[ra], let dec = self[dec] { return (ra, dec) }
        }
        return nil
    }

    /// The identifiers as text, from the identifier column; nil where there is none.
    public var identifiers: [String?]? { idColumn?.strings }

    /// Positions in degrees: right ascension in [0, 360), declination; NaN where missing or impossible
    /// (|declination| > 90). Nil when the table has no pair of numeric position columns.
    ///
    /// The unit of the column decides between degrees, radians and hours. Without a unit, `coord_ra`/`coord_dec`
    /// are radians (afw tables of Rubin and HSC) and all else is degrees.
    public var positions: (ra: [Double], dec: [Double])? {
        guard let raColumn, let decColumn, let ra = raColumn.doubles, let dec = decColumn.doubles else { return nil }
        let raFactor = Catalog.degrees(raColumn)
        let decFactor = Catalog.degrees(decColumn)
        guard let raFactor, let decFactor else { return nil }
        let latitudes = dec.map { abs($0 * decFactor) <= 90 ? $0 * decFactor : .nan }
        let longitudes = ra.map { value in
            let turned = (value * raFactor).truncatingRemainder(dividingBy: 360)
            // Adding 360 to a tiny negative angle rounds to 360 itself.
            let positive = turned < 0 ? turned + 360 : turned
            return positive == 360 ? 0 : positive
        }
        return (longitudes, latitudes)
    }

    /// Degrees in one unit of the column; nil for a unit that is no angle.
    private static func degrees(_ column: Column) -> Double? {
        switch column.unit?.lowercased() {
        case "deg", "degree", "degrees", "d": 1
        case "rad", "radian", "radians": 180 / Double.pi
        case "hourangle", "hour", "hours", "h", "hr": 15
        case "arcmin": 1.0 / 60
        case "arcsec": 1.0 / 3600
        case nil, "": column.name.lowercased().hasPrefix("coord_") ? 180 / Double.pi : 1
        default: nil
        }
    }

    /// The image files of each row: one path, or the entries of a JSON list (Cutana's `fits_file_paths`).
    /// Nil when the table has no file column of text; an empty list where the cell is missing.
    public var filePaths: [[String]]? {
        guard case .string(let cells)? = fileColumn?.values else { return nil }
        return cells.map { cell in
            guard let cell else { return [] }
            guard cell.utf8.first == UInt8(ascii: "[") else { return [cell] }
            let decoder = JSONDecoder()
            if let list = try? decoder.decode([String].self, from: Data(cell.utf8)) { return list }
            // Python's own spelling of a list, which data frames written without care contain.
            let respelt = cell.replacing("'", with: "\"")
            return (try? decoder.decode([String].self, from: Data(respelt.utf8))) ?? [cell]
        }
    }

    /// For each integer column the number that can stand for a missing value, because no cell has it.
    func missingIntegers() throws(CatalogError) -> [String: Int64] {
        var chosen: [String: Int64] = [:]
        for column in columns {
            let cells: [Int64?]
            let candidates: [Int64]
            switch column.values {
            case .uint8(let values):
                (cells, candidates) = (values.map { $0.map(Int64.init) }, Array((0...255).reversed()))
            case .int16(let values):
                (cells, candidates) = (values.map { $0.map(Int64.init) }, Catalog.extremes(Int16.self))
            case .int32(let values):
                (cells, candidates) = (values.map { $0.map(Int64.init) }, Catalog.extremes(Int32.self))
            case .int64(let values): (cells, candidates) = (values, Catalog.extremes(Int64.self))
            default: continue
            }
            let used = Set(cells.compactMap { $0 })
            let free = candidates.first { !used.contains($0) }
            if let free {
                chosen[column.name] = free
            } else if cells.contains(nil) {
                throw CatalogError(.table, column: column.name, "no number is left to stand for a missing value")
            }
        }
        return chosen
    }

    private static func extremes<Value: FixedWidthInteger>(_: Value.Type) -> [Int64] {
        [Int64(Value.min), Int64(Value.max), Int64(Value.min) + 1, Int64(Value.max) - 1, -9999]
    }
}
