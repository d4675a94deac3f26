public import AstroIO
import Foundation

/// Writes simulated objects as files: `<id>.fits.fz` for each (a cube of the bands, RICE-compressed), and the truth about all
/// of them in `truth.ecsv`.
public struct SampleGenerator: Sendable {
    public let simulator: GalaxySimulator

    public init(_ simulator: GalaxySimulator) {
        self.simulator = simulator
    }

    /// Makes objects 0 ..< count on several threads.
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
        let options = FITSImageWriter.Options(compression: .rice, quantization: 8)
        let simulator = simulator
        var truths: [GalaxySimulator.Truth] = []
        try OrderedStream(readers: 1, workers: workers).run(
            count: count, load: { $0 },
            process: { _, index -> GalaxySimulator.Truth in
                let object = simulator.object(index)
                try FITSImageWriter.write(object.image, to: "\(folder)/\(object.truth.id).fits.fz", options: options)
                return object.truth
            },
            write: { _, truth in
                truths.append(truth)
                return progress(truths.count)
            })
        try table(truths).write(to: folder + "/truth.ecsv")
    }

    /// The truth as a table.
    public func table(_ truths: [GalaxySimulator.Truth]) throws(CatalogError) -> Catalog {
        var columns = [
            Column(
                "id_str", .string(truths.map(\.id)), ucd: "meta.id;meta.main", description: "Name of the object"),
            Column(
                "file_loc", .string(truths.map { $0.id + ".fits.fz" }), ucd: "meta.ref.url", description: "Its image"),
            Column(
                "ra", .double(truths.map(\.ra)), unit: "deg", ucd: "pos.eq.ra;meta.main",
                description: "Right ascension (ICRS)"),
            Column(
                "dec", .double(truths.map(\.dec)), unit: "deg", ucd: "pos.eq.dec;meta.main",
                description: "Declination (ICRS)"),
            Column("kind", .string(truths.map(\.kind.rawValue)), ucd: "src.morph.type", description: "What was drawn"),
            Column("unusual", .bool(truths.map(\.kind.isUnusual)), description: "Whether it is one of the rare kinds"),
        ]
        for (index, band) in simulator.bands.enumerated() {
            columns.append(
                Column(
                    "mag_" + band.name, .float(truths.map { Float($0.magnitudes[index]) }), unit: "mag",
                    ucd: "phot.mag", description: "AB magnitude in \(band.name)"))
        }
        columns += [
            Column(
                "bulge_fraction", .float(truths.map { Float($0.bulgeFraction) }),
                description: "Bulge's share of the light in \(simulator.bands[1].name)"),
            Column(
                "r50", .float(truths.map { Float($0.halfLightRadius) }), unit: "arcsec", ucd: "phys.angSize",
                description: "Half-light radius of the whole along the major axis"),
            Column(
                "sersic_n", .float(truths.map { Float($0.sersicIndex) }),
                description: "Sersic index of the whole"),
            Column(
                "axis_ratio", .float(truths.map { Float($0.axisRatio) }), ucd: "src.ellipticity",
                description: "Minor over major axis"),
            Column(
                "position_angle", .float(truths.map { Float($0.positionAngle) }), unit: "deg", ucd: "pos.posAng",
                description: "Of the major axis, from north through east"),
        ]
        for (index, band) in simulator.bands.enumerated() {
            columns.append(
                Column(
                    "seeing_" + band.name, .float(truths.map { Float($0.seeing[index]) }), unit: "arcsec",
                    ucd: "instr.obsty.seeing", description: "FWHM of the PSF in \(band.name)"))
        }
        return try Catalog(name: "TRUTH", columns: columns)
    }
}
