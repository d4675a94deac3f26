import Kernels
import Tensors

/// The settings of each stage: a table that is read by the run file, and the typed values that the stage uses.

extension PipelineSpecification.Stage {
    func flag(_ name: String) -> Bool {
        guard case .flag(let value) = values[name] else { preconditionFailure("[stage] \(name) is no flag") }
        return value
    }

    func integer(_ name: String) -> Int {
        guard case .integer(let value) = values[name] else { preconditionFailure("[stage] \(name) is no integer") }
        return value
    }

    func text(_ name: String) -> String {
        guard case .text(let value) = values[name] else { preconditionFailure("[stage] \(name) is no text") }
        return value
    }

    func number(_ name: String) -> Double {
        guard case .number(let value) = values[name] else { preconditionFailure("[stage] \(name) is no number") }
        return value
    }

    func optionalText(_ name: String) -> String? {
        guard case .optionalText(let value) = values[name] else { preconditionFailure("[stage] \(name) is no text") }
        return value
    }

    func list(_ name: String) -> [String] {
        guard case .list(let value) = values[name] else { preconditionFailure("[stage] \(name) is no list") }
        return value
    }
}

/// Which files are read, and how.
package struct LoadSettings {
    package static let settings = [
        Setting("recursive", .flag(true), help: "Look into folders below the input folder."),
        Setting(
            "group-bands", .flag(true),
            help: "Join files that differ only in a band name (m51-g.fits, m51-r.fits) into one object."),
        Setting("bands", .list([]), help: "Bands to use, by name; all when empty."),
        Setting(
            "hdu", .optionalText(nil),
            help: "Image extension by name or number (0 = primary); the first image when null."),
        Setting("limit", .integer(0), range: 0...1e12, help: "Use only the first objects; 0 = all."),
        Setting("readers", .integer(2), range: 1...64, help: "Threads that read and decode."),
    ]

    package let recursive: Bool
    package let groupBands: Bool
    package let bands: [String]
    package let hdu: String?
    package let limit: Int
    package let readers: Int

    package init(_ stage: PipelineSpecification.Stage) {
        recursive = stage.flag("recursive")
        groupBands = stage.flag("group-bands")
        bands = stage.list("bands")
        hdu = stage.optionalText("hdu")
        limit = stage.integer("limit")
        readers = stage.integer("readers")
    }
}

/// How stamps are cut. What is null is taken from the model, which was trained with it.
package struct StampSettings {
    package static let settings = [
        Setting(
            "crop", .optionalText(nil),
            help:
                "Centre to keep: a fraction of the shorter side (0.7), pixels (128px) or arcsec (20arcsec); the model's own when null."
        )
    ]

    package let crop: String?

    package init(_ stage: PipelineSpecification.Stage) {
        crop = stage.optionalText("crop")
    }
}

/// The backbone and its arithmetic.
package struct EmbedSettings {
    package static let settings = [
        Setting(
            "model", .text("default"), help: "A model that ships with the program, by name, or a .safetensors file."),
        Setting(
            "precision", .text("float32"), choices: Precision.spellings,
            help: "Arithmetic of the matrix products; int8 is the fastest and least exact."),
        Setting(
            "attention", .text("automatic"), choices: AttentionVariant.exact.map(\.description) + ["vsa:0.001"],
            accepts: { AttentionVariant($0) != nil },
            help: "Attention algorithm; all but vsa, which skips what is below its threshold, give the same result."),
        Setting(
            "order", .text("rows"), choices: GridOrder.allCases.map(\.rawValue),
            help: "Order of the patches inside the network: the result is the same, vsa skips more in some."),
        Setting(
            "views", .integer(4), range: 1...8,
            help:
                "Views of each stamp whose embeddings are averaged: 1, 4 (quarter turns), 8 (mirrored too); turned galaxies are then alike."
        ),
        Setting("batch", .integer(32), range: 1...4096, help: "Objects a worker computes at once."),
        Setting("workers", .integer(0), range: 0...1024, help: "Threads that compute; 0 = one a core."),
    ]

    package let model: String
    package let precision: Precision
    package let attention: AttentionVariant
    package let order: GridOrder
    package let views: Int
    package let batch: Int
    package let workers: Int

    package init(_ stage: PipelineSpecification.Stage) {
        model = stage.text("model")
        guard let precision = Precision(stage.text("precision")),
            let attention = AttentionVariant(stage.text("attention")),
            let order = GridOrder(rawValue: stage.text("order"))
        else { preconditionFailure("[stage] precision, attention or order was not checked") }
        self.precision = precision
        self.attention = attention
        self.order = order
        views = stage.integer("views")
        batch = stage.integer("batch")
        workers = stage.integer("workers")
    }
}

/// The outlier score.
package struct ScoreSettings {
    package static let settings = [
        Setting(
            "neighbours", .integer(10), range: 1...1000,
            help: "Number k of nearest neighbours; the score is their mean distance."),
        Setting("metric", .text("euclidean"), choices: ["euclidean", "cosine"], help: "Distance between embeddings."),
        Setting(
            "standardise", .flag(true),
            help: "Bring each embedding dimension to mean 0 and standard deviation 1 first (euclidean only)."),
    ]

    package let neighbours: Int
    package let metric: String
    package let standardise: Bool

    package init(_ stage: PipelineSpecification.Stage) {
        neighbours = stage.integer("neighbours")
        metric = stage.text("metric")
        standardise = stage.flag("standardise")
    }
}

/// The catalog's file forms.
package struct CatalogSettings {
    package static let settings = [
        Setting(
            "formats", .list(["fits", "ecsv"]), choices: ["fits", "ecsv", "csv", "votable"],
            help: "File forms to write the catalog in.")
    ]

    package let formats: [String]

    package init(_ stage: PipelineSpecification.Stage) {
        formats = stage.list("formats")
    }
}

/// The picture of the most unusual objects.
package struct ContactSheetSettings {
    package static let settings = [
        Setting("count", .integer(40), range: 1...400, help: "Objects shown, the most unusual first."),
        Setting("columns", .integer(8), range: 1...40, help: "Objects in a row."),
        Setting("thumbnail", .integer(128), range: 32...512, help: "Side of a picture in pixels."),
    ]

    package let count: Int
    package let columns: Int
    package let thumbnail: Int

    package init(_ stage: PipelineSpecification.Stage) {
        count = stage.integer("count")
        columns = stage.integer("columns")
        thumbnail = stage.integer("thumbnail")
    }
}
