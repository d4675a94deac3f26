import AstroIO
import Datasets
import Inference

/// The tables that `restore` writes: a row for each band of each image, and one for each image that failed.
struct RestorationTables {
    private var rows: [(id: String, band: RestoredImage.Band)] = []
    var failures: [(id: String, files: String, reason: String)] = []
    private var images = 0

    mutating func add(_ restored: RestoredImage, of object: ObjectFiles) {
        images += 1
        rows += restored.bands.map { (object.id, $0) }
    }

    func write(to folder: String) throws {
        let bands = rows.map(\.band)
        try Catalog(
            name: "RESTORATION",
            columns: [
                Column("id_str", .string(rows.map(\.id)), ucd: "meta.id", description: "Name of the image"),
                Column("band", .string(bands.map(\.name)), ucd: "instr.bandpass", description: "Band"),
                Column(
                    "sky_noise", .float(bands.map(\.noise)), ucd: "stat.stdev",
                    description: "Standard deviation of the sky's noise in a pixel, in the image's unit"),
                Column(
                    "noise_measured", .bool(bands.map(\.noiseIsMeasured)),
                    description: "Whether the noise was measured on the image; else it is that of its variance"),
                Column(
                    "masked_pixels", .int64(bands.map { Int64($0.masked) }),
                    description: "Pixels that were masked or no numbers"),
                Column(
                    "found_pixels", .int64(bands.map { Int64($0.found) }),
                    description: "Pixels found to be cosmic rays, trails or defects"),
                Column(
                    "total_flux_ratio", .double(bands.map(\.flux.total)),
                    description:
                        "Flux of the observed pixels above the sky, restored over observed; NaN where it is mostly noise"
                ),
                Column(
                    "aperture_flux_ratio", .double(bands.map(\.flux.aperture)),
                    description: "Median over apertures of 10 pixels radius on bright sources, restored over observed"),
                Column("apertures", .int32(bands.map { Int32($0.flux.apertures) }), description: "Number of those"),
            ]
        ).write(to: folder + "/restoration.ecsv")
        try Catalog(
            name: "FAILURES",
            columns: [
                Column("id_str", .string(failures.map(\.id)), ucd: "meta.id", description: "Name of the image"),
                Column("file_loc", .string(failures.map(\.files)), ucd: "meta.ref.url", description: "Its files"),
                Column("reason", .string(failures.map(\.reason)), description: "Why it was not restored"),
            ]
        ).write(to: folder + "/failures.ecsv")
    }

    var summary: String {
        let table = TextTable([
            .init("image", 24), .init("band", 5), .init("noise", 10, right: true), .init("masked", 8, right: true),
            .init("found", 8, right: true), .init("total flux", 10, right: true), .init("apertures", 10, right: true),
        ])
        let lines = rows.prefix(20).map { id, band in
            table.row([
                id, band.name, significant(band.noise), "\(band.masked)", "\(band.found)", fixed(band.flux.total, 4),
                fixed(band.flux.aperture, 4),
            ])
        }
        return ([table.head] + lines + ["\(images) images restored, \(failures.count) failed."]).joined(separator: "\n")
    }
}
