/// One flag of the registry: its bit, its name, the stage that sets it, and a sentence on what it means.
public struct QualityFlag: Sendable, Equatable {
    /// The stage that sets a flag.
    public enum Stage: String, Sendable {
        case load, stamp, normalise, embed, score
    }

    public let flag: QualityFlags
    /// As in files and on the command line.
    public let name: String
    public let stage: Stage
    /// One sentence.
    public let description: String

    /// The power of two.
    public var value: Int32 { flag.rawValue }
}

/// What happened to an object on its way from file to catalog, as bits of one integer.
///
/// Each stage adds bits; none removes another's. The values are part of the file format: a bit is never given a new
/// meaning. The first five have the names and meanings of photutils' `flags` column.
///
///     let flags: QualityFlags = [.edgeTouch, .paddedStamp]
///     flags.names            // ["edge_touch", "padded_stamp"]
///     QualityFlags(names: ["edge_touch"])
public struct QualityFlags: OptionSet, Sendable, Hashable {
    /// As the `flags` column holds it.
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    // MARK: - Load

    public static let maskedPixels = QualityFlags(bit: 0)
    public static let nonFiniteData = QualityFlags(bit: 1)
    public static let nonFiniteError = QualityFlags(bit: 2)
    public static let allMasked = QualityFlags(bit: 3)
    public static let edgeTouch = QualityFlags(bit: 4)
    public static let blankImage = QualityFlags(bit: 5)
    public static let saturated = QualityFlags(bit: 6)
    public static let noWCS = QualityFlags(bit: 7)
    public static let lossyFormat = QualityFlags(bit: 8)
    public static let duplicateID = QualityFlags(bit: 9)

    // MARK: - Stamp

    public static let paddedStamp = QualityFlags(bit: 10)
    public static let resampledUp = QualityFlags(bit: 11)
    public static let resampledDown = QualityFlags(bit: 12)
    public static let lowCoverage = QualityFlags(bit: 13)
    public static let mismatchedScale = QualityFlags(bit: 14)
    public static let notSquare = QualityFlags(bit: 15)

    // MARK: - Normalise

    public static let missingBand = QualityFlags(bit: 16)
    public static let replicatedBand = QualityFlags(bit: 17)
    public static let filledPixels = QualityFlags(bit: 18)
    public static let zeroRange = QualityFlags(bit: 19)
    public static let clippedRange = QualityFlags(bit: 20)

    // MARK: - Embed and score

    public static let nonFiniteEmbedding = QualityFlags(bit: 21)
    public static let notEmbedded = QualityFlags(bit: 22)
    public static let notScored = QualityFlags(bit: 23)
    public static let duplicateImage = QualityFlags(bit: 24)
    public static let fewNeighbours = QualityFlags(bit: 25)

    private init(bit: Int32) { self.init(rawValue: 1 << bit) }

    // MARK: - Registry

    /// Every flag, in the order of its value.
    public static let registry: [QualityFlag] = [
        define(
            maskedPixels, "masked_pixels", .load, "Some pixels are masked: no data, bad, saturated or a cosmic ray."),
        define(nonFiniteData, "non_finite_data", .load, "Some pixels are NaN or infinite."),
        define(
            nonFiniteError, "non_finite_error", .load,
            "Some pixels have no usable variance: NaN, infinite or zero weight."),
        define(allMasked, "all_masked", .load, "Every pixel is masked, so nothing was measured."),
        define(edgeTouch, "edge_touch", .load, "The object reaches the edge of its image."),
        define(blankImage, "blank_image", .load, "All valid pixels have one value."),
        define(saturated, "saturated", .load, "Some pixels are at or above the saturation level."),
        define(
            noWCS, "no_wcs", .load, "The file has no usable sky coordinates; positions and pixel scale are unknown."),
        define(
            lossyFormat, "lossy_format", .load,
            "The pixels come from a display format (JPEG, PNG), not from calibrated fluxes."),
        define(duplicateID, "duplicate_id", .load, "Another object of the catalog has the same identifier."),
        define(
            paddedStamp, "padded_stamp", .stamp, "The image was smaller than the stamp, which was filled at its border."
        ),
        define(
            resampledUp, "resampled_up", .stamp,
            "The image was enlarged to the stamp size, so neighbouring pixels are not independent."),
        define(
            resampledDown, "resampled_down", .stamp,
            "The image was reduced to the stamp size, so its finest detail is lost."),
        define(lowCoverage, "low_coverage", .stamp, "Less than half of the stamp's pixels hold valid data."),
        define(
            mismatchedScale, "mismatched_scale", .stamp,
            "Bands differ in size or pixel scale and were brought to one grid."),
        define(notSquare, "not_square", .stamp, "The image is not square; the stamp is its central square."),
        define(missingBand, "missing_band", .normalise, "A band that the model expects is absent."),
        define(replicatedBand, "replicated_band", .normalise, "One band was used in the place of several."),
        define(
            filledPixels, "filled_pixels", .normalise,
            "Masked or non-finite pixels were replaced before the network saw them."),
        define(zeroRange, "zero_range", .normalise, "The stamp has no contrast, so its normalisation is arbitrary."),
        define(
            clippedRange, "clipped_range", .normalise, "More than one pixel in a hundred was clipped by the stretch."),
        define(
            nonFiniteEmbedding, "non_finite_embedding", .embed,
            "The network gave NaN or infinity; the embedding is not usable."),
        define(notEmbedded, "not_embedded", .embed, "The object was not given to the network."),
        define(notScored, "not_scored", .score, "The object has no outlier score."),
        define(
            duplicateImage, "duplicate_image", .score,
            "Another object has the same embedding, so the nearest distance is zero."),
        define(
            fewNeighbours, "few_neighbours", .score,
            "There are fewer other objects than neighbours asked for; the score uses those there are."),
    ]

    private static func define(_ flag: QualityFlags, _ name: String, _ stage: QualityFlag.Stage, _ text: String)
        -> QualityFlag
    {
        QualityFlag(flag: flag, name: name, stage: stage, description: text)
    }

    // MARK: - Decoding and encoding

    /// The flags that are set, in the order of their values.
    public var definitions: [QualityFlag] { QualityFlags.registry.filter { contains($0.flag) } }

    /// The names of the flags that are set; bits that are not in the registry appear as `bit_N`.
    public var names: [String] {
        let known = QualityFlags.registry.reduce(into: Int32(0)) { $0 |= $1.value }
        let unknown = (0..<32).filter { rawValue & ~known & (1 << Int32($0)) != 0 }
        return definitions.map(\.name) + unknown.map { "bit_\($0)" }
    }

    /// The definitions of the bits of a `flags` value.
    public static func decode(_ value: Int32) -> [QualityFlag] { QualityFlags(rawValue: value).definitions }

    /// The union of named flags (`bit_N` too); nil when a name is unknown.
    public init?(names: some Sequence<String>) {
        var value: Int32 = 0
        for name in names {
            if let known = QualityFlags.registry.first(where: { $0.name == name }) {
                value |= known.value
            } else if name.hasPrefix("bit_"), let bit = Int32(name.dropFirst(4)), (0..<32).contains(bit) {
                value |= 1 << bit
            } else {
                return nil
            }
        }
        self.init(rawValue: value)
    }

    // MARK: - Documentation

    /// The registry as a Markdown table; docs/flags.md contains it.
    public static var markdownTable: String {
        var lines = ["| value | name | stage | meaning |", "| ---: | --- | --- | --- |"]
        for flag in registry {
            lines.append("| \(flag.value) | `\(flag.name)` | \(flag.stage.rawValue) | \(flag.description) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension QualityFlags: CustomStringConvertible {
    /// The names, joined by commas; `0` when none is set.
    public var description: String { isEmpty ? "0" : names.joined(separator: ",") }
}
