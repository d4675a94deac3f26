public import AstroIO
import Foundation

/// Writes simulated fields: `field-00001.fits.fz` for each, with the extensions MASK, VARIANCE and SEGMENTATION, and the truth
/// about all sources in `truth.ecsv` and `truth.fits`, about all defects in `artefacts.ecsv`.
public struct FieldWriter: Sendable {
    public let simulator: FieldSimulator

    public init(_ simulator: FieldSimulator) { self.simulator = simulator }

    /// What is kept of a field when its image is written.
    private struct Summary: Sendable {
        var name: String
        var sources: [SourceTruth]
        var artefacts: [ArtefactTruth]
        var seeing: [Double]
    }

    /// Makes fields 0 ..< count on several threads.
    ///
    /// - Parameters:
    ///   - folder: is made if it does not exist.
    ///   - progress: called with the number of files written; returning false stops after it.
    /// - Throws: `ImageError` or `CatalogError` when a file cannot be written.
    public func write(
        count: Int, to folder: String, workers: Int = ProcessInfo.processInfo.activeProcessorCount,
        progress: (Int) -> Bool = { _ in true }
    ) throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ImageError(.output, path: folder, "cannot be created: \(error.localizedDescription)")
        }
        let simulator = simulator
        var summaries: [Summary] = []
        try OrderedStream(readers: 1, workers: workers).run(
            count: count, load: { $0 },
            process: { _, index -> Summary in
                let field = simulator.field(index)
                let number = String(index + 1)
                let name = "field-" + String(repeating: "0", count: max(0, 5 - number.count)) + number
                var options = FITSImageWriter.Options(compression: .rice)
                options.segmentation = field.segmentation
                try FITSImageWriter.write(field.image, to: "\(folder)/\(name).fits.fz", options: options)
                return Summary(name: name, sources: field.sources, artefacts: field.artefacts, seeing: field.seeing)
            },
            write: { _, summary in
                summaries.append(summary)
                return progress(summaries.count)
            })
        let bands = simulator.settings.bands.map(\.name)
        var truth = try Self.table(summaries.flatMap(\.sources), bands: bands)
        try truth.append(
            Column(
                "file_loc", .string(summaries.flatMap { s in s.sources.map { _ in s.name + ".fits.fz" } }),
                ucd: "meta.ref.url", description: "Image that the source is in"))
        for (index, band) in bands.enumerated() {
            try truth.append(
                Column(
                    "seeing_" + band, .float(summaries.flatMap { s in s.sources.map { _ in Float(s.seeing[index]) } }),
                    unit: "arcsec", ucd: "instr.obsty.seeing", description: "FWHM of the PSF in \(band)"))
        }
        try truth.write(to: folder + "/truth.ecsv")
        try truth.write(to: folder + "/truth.fits")
        let artefacts = summaries.flatMap { s in s.artefacts.map { (s.name, $0) } }
        try Catalog(
            name: "ARTEFACTS",
            columns: [
                Column("file_loc", .string(artefacts.map { $0.0 + ".fits.fz" }), description: "Image it is in"),
                Column("kind", .string(artefacts.map { $0.1.kind.rawValue }), description: "What it is"),
                Column("band", .string(artefacts.map { bands[$0.1.band] }), description: "Band it is in"),
                Column("x", .double(artefacts.map(\.1.x)), unit: "pix", description: "Middle, counted from 0"),
                Column("y", .double(artefacts.map(\.1.y)), unit: "pix", description: "Middle, counted from 0"),
                Column("pixels", .int32(artefacts.map { Int32($0.1.pixels) }), description: "Pixels flagged for it"),
                Column(
                    "flux", .double(artefacts.map(\.1.flux)), unit: "nanomaggy", description: "What it added"),
            ]
        ).write(to: folder + "/artefacts.ecsv")
    }

    /// The truth about sources as a table.
    public static func table(_ sources: [SourceTruth], bands: [String]) throws(CatalogError) -> Catalog {
        var columns = [
            Column(
                "number", .int32(sources.map { Int32($0.id) }), ucd: "meta.id", description: "Number in SEGMENTATION"),
            Column("kind", .string(sources.map(\.kind.rawValue)), ucd: "src.morph.type", description: "What was drawn"),
            Column("is_star", .bool(sources.map(\.isStar)), description: "Whether it is a star"),
            Column("x", .double(sources.map(\.x)), unit: "pix", ucd: "pos.cartesian.x", description: "From 0"),
            Column("y", .double(sources.map(\.y)), unit: "pix", ucd: "pos.cartesian.y", description: "From 0"),
            Column(
                "ra", .double(sources.map(\.ra)), unit: "deg", ucd: "pos.eq.ra;meta.main",
                description: "Right ascension (ICRS)"),
            Column(
                "dec", .double(sources.map(\.dec)), unit: "deg", ucd: "pos.eq.dec;meta.main",
                description: "Declination (ICRS)"),
        ]
        for (index, band) in bands.enumerated() {
            columns.append(
                Column(
                    "mag_" + band, .float(sources.map { Float($0.magnitudes[index]) }), unit: "mag", ucd: "phot.mag",
                    description: "AB magnitude in \(band)"))
        }
        func floats(_ name: String, _ value: (SourceTruth) -> Double, _ unit: String?, _ description: String) -> Column
        {
            Column(name, .float(sources.map { Float(value($0)) }), unit: unit, description: description)
        }
        columns += [
            floats("bulge_fraction", \.bulgeFraction, nil, "Bulge's share of the light in r"),
            floats("r50", \.halfLightRadius, "arcsec", "Half-light radius along the major axis; 0 for stars"),
            floats("sersic_n", \.sersicIndex, nil, "Sersic index of the whole; 0 for stars"),
            floats("axis_ratio", \.axisRatio, nil, "Minor over major axis"),
            floats("position_angle", \.positionAngle, "deg", "Of the major axis, from north through east"),
            Column(
                "visible_pixels", .int32(sources.map { Int32($0.visiblePixels) }), unit: "pix",
                description: "Pixels of SEGMENTATION that are its own"),
            Column(
                "blended", .bool(sources.map(\.blended)),
                description: "Whether others' light on these is more than a fifth of its own"),
        ]
        return try Catalog(name: "TRUTH", columns: columns)
    }
}
