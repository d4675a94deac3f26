package import AstroIO
import Outliers

/// The columns of the tables that a run writes, and blocks of their rows.
package enum ObjectTable {
    /// Rows that are converted and written at once.
    static let blockSize = 4096

    // MARK: - Catalog

    package static func catalogColumns(scored: Bool, analyses: [ColumnDescription] = []) -> [ColumnDescription] {
        var columns = [
            ColumnDescription(
                "id_str", .text, ucd: "meta.id;meta.main", description: "Unique name of the object in this run"),
            ColumnDescription(
                "file_loc", .text, ucd: "meta.ref.url",
                description: "File, or files joined by ';', relative to the input folder where below it"),
            ColumnDescription(
                "ra", .double, unit: "deg", ucd: "pos.eq.ra;meta.main",
                description: "Right ascension (ICRS) of the stamp's centre; NaN without WCS"),
            ColumnDescription(
                "dec", .double, unit: "deg", ucd: "pos.eq.dec;meta.main",
                description: "Declination (ICRS) of the stamp's centre; NaN without WCS"),
            ColumnDescription("width", .int32, unit: "pix", description: "Width of the image"),
            ColumnDescription("height", .int32, unit: "pix", description: "Height of the image"),
            ColumnDescription("bands", .text, ucd: "instr.bandpass", description: "Bands in the image, by name"),
            ColumnDescription(
                "pixel_scale", .float, unit: "arcsec/pix", ucd: "instr.pixel",
                description: "Pixel scale of the image; NaN without WCS"),
            ColumnDescription("mask_fraction", .float, description: "Fraction of the stamp's pixels that are masked"),
            ColumnDescription(
                "flags", .int32, ucd: "meta.code.qual",
                description: "Quality flags, a sum of powers of two (lenticular flags VALUE)"),
        ]
        columns += analyses
        guard scored else { return columns }
        columns += [
            ColumnDescription(
                "outlier_score", .double,
                description: "Mean distance to the nearest neighbours among the embeddings; larger is more unusual"),
            ColumnDescription("outlier_rank", .int32, description: "1 = the most unusual object; 0 = not scored"),
            ColumnDescription(
                "outlier_percentile", .float, description: "Percentage (0 to 100) of scored objects with a lower score"),
            ColumnDescription(
                "nearest_id", .text, ucd: "meta.id.cross", description: "id_str of the nearest neighbour"),
            ColumnDescription("nearest_distance", .double, description: "Distance to the nearest neighbour"),
        ]
        return columns
    }

    /// Rows of the catalog.
    ///
    /// - Parameters:
    ///   - scores: the objects' scores in the same order; nil for a run without a score stage.
    ///   - analyses: columns of the run's other stages.
    package static func catalogBlock(
        _ records: [ObjectRecord], scores: [ScoredObject]?, analyses: [ColumnDescription]
    ) throws(CatalogError) -> Catalog {
        var values: [ColumnValues] = [
            .string(records.map(\.id)),
            .string(records.map { $0.files.joined(separator: ";") }),
            .double(records.map { $0.ra ?? .nan }),
            .double(records.map { $0.dec ?? .nan }),
            .int32(records.map { Int32(clamping: $0.width) }),
            .int32(records.map { Int32(clamping: $0.height) }),
            .string(records.map { $0.bands.joined(separator: ",") }),
            .float(records.map { Float($0.pixelScale ?? .nan) }),
            .float(records.map(\.maskFraction)),
            .int32(zip(records.indices, records).map { $1.flags | (scores?[$0].flags.rawValue ?? 0) }),
        ]
        for column in analyses { values.append(column.values(records.map { $0.values?[column.name] })) }
        if let scores {
            values += [
                .double(scores.map(\.score)),
                .int32(scores.map { Int32(clamping: $0.rank) }),
                .float(scores.map { Float($0.percentile) }),
                .string(scores.map(\.nearestID)),
                .double(scores.map(\.nearestDistance)),
            ]
        }
        return try catalog(catalogColumns(scored: scores != nil, analyses: analyses), values)
    }

    // MARK: - Embeddings

    static func embeddingColumns(width: Int) -> [ColumnDescription] {
        [
            ColumnDescription(
                "id_str", .text, ucd: "meta.id;meta.main", description: "Unique name of the object in this run"),
            ColumnDescription(
                "file_loc", .text, ucd: "meta.ref.url",
                description: "File, or files joined by ';', relative to the input folder where below it"),
            ColumnDescription("embedding", .floatVector(width: width), description: "Output of the backbone"),
        ]
    }

    static func embeddingBlock(
        _ records: [ObjectRecord], embeddings: [Float], width: Int
    ) throws(CatalogError) -> Catalog {
        try catalog(
            embeddingColumns(width: width),
            [
                .string(records.map(\.id)),
                .string(records.map { $0.files.joined(separator: ";") }),
                .floatVector(embeddings, width: width),
            ])
    }

    // MARK: - Failures

    static let failureColumns = [
        ColumnDescription(
            "id_str", .text, ucd: "meta.id;meta.main", description: "Name that the object would have had"),
        ColumnDescription("file_loc", .text, ucd: "meta.ref.url", description: "File, or files joined by ';'"),
        ColumnDescription("stage", .text, description: "Stage of the run that could not use it"),
        ColumnDescription("reason", .text, ucd: "meta.note", description: "Why"),
    ]

    package static func failureBlock(_ records: [ObjectRecord]) throws(CatalogError) -> Catalog {
        let rows = records.flatMap { record in
            ((record.failure.map { [$0] } ?? []) + (record.problems ?? [])).map { (record, $0) }
        }
        return try catalog(
            failureColumns,
            [
                .string(rows.map(\.0.id)),
                .string(rows.map { $0.0.files.joined(separator: ";") }),
                .string(rows.map(\.1.stage)),
                .string(rows.map(\.1.reason)),
            ])
    }

    private static func catalog(
        _ columns: [ColumnDescription], _ values: [ColumnValues]
    ) throws(CatalogError) -> Catalog {
        try Catalog(columns: zip(columns, values).map { Column($0, $1) })
    }
}

/// One object's place among the others.
package struct ScoredObject {
    /// NaN where there is none.
    package var score = Double.nan
    /// From 1; 0 where there is no score.
    package var rank = 0
    /// Percentage of scored objects with a lower score; NaN where there is no score.
    package var percentile = Double.nan
    package var nearest: Int?
    package var nearestID: String?
    package var nearestDistance = Double.nan
    package var flags: QualityFlags = []

    package init() {}
}
