public import AstroIO
public import Datasets
import ImageProcessing
public import Inference

/// An object with what was measured of it.
public struct MeasuredRow: Sendable {
    public var object: ObjectFiles
    public var source: MeasuredSource

    public init(object: ObjectFiles, source: MeasuredSource) {
        self.object = object
        self.source = source
    }

    /// AB magnitude in a band; not a number without network or zero point.
    public func magnitude(_ band: String) -> Estimate {
        guard let zero = source.zeroPoint, let index = source.bands.firstIndex(of: band),
            let magnitude = source.estimates[index]?.instrumentalMagnitude
        else { return .unknown }
        return Estimate(magnitude.value + zero, error: magnitude.error)
    }

    public func estimate(_ quantity: KeyPath<ParameterEstimate, Estimate>) -> Estimate {
        source.estimate?[keyPath: quantity] ?? .unknown
    }
}

/// The catalog of a run of `measure`.
public struct MeasurementTable {
    private let rows: [MeasuredRow]
    private let settings: MeasurementSettings
    private let bands: [String]?

    /// - Parameter bands: whose magnitudes are columns; those of the rows' images that have any when nil.
    public init(_ rows: [MeasuredRow], settings: MeasurementSettings, bands: [String]? = nil) {
        self.rows = rows
        self.settings = settings
        self.bands = bands
    }

    /// One row an object.
    public func catalog() throws(CatalogError) -> Catalog {
        var columns = [
            Column(
                "id_str", .string(rows.map(\.object.id)), ucd: "meta.id;meta.main", description: "Name of the object"),
            Column(
                "file_loc", .string(rows.map { $0.object.paths[0] }), ucd: "meta.ref.url", description: "Its image"),
            Column(
                "ra", .double(rows.map { $0.source.position?.ra ?? .nan }), unit: "deg", ucd: "pos.eq.ra;meta.main",
                description: "Right ascension of the centre of light (ICRS)"),
            Column(
                "dec", .double(rows.map { $0.source.position?.dec ?? .nan }), unit: "deg", ucd: "pos.eq.dec;meta.main",
                description: "Declination (ICRS)"),
            Column(
                "x", .float(rows.map { Float($0.source.x) }), unit: "pixel", ucd: "pos.cartesian.x",
                description: "Centre of light, pixels counted from 0"),
            Column("y", .float(rows.map { Float($0.source.y) }), unit: "pixel", ucd: "pos.cartesian.y"),
            Column("band", .string(rows.map(\.source.band)), ucd: "instr.bandpass", description: "Band of the shapes"),
            Column(
                "psf_fwhm_pix", .float(rows.map { Float($0.source.seeingPixels) }), unit: "pixel",
                ucd: "instr.obsty.seeing", description: "Full width of the PSF at half maximum"),
            Column(
                "measure_flags", .int32(rows.map { $0.source.flags.rawValue }), ucd: "meta.code",
                description: MeasurementFlags.explanation),
        ]
        if settings.usesNetwork { columns += network() }
        if settings.usesClassical { columns += classical() }
        return try Catalog(name: "MEASUREMENTS", columns: columns)
    }

    private func network() -> [Column] {
        var columns: [Column] = []
        func add(_ name: String, _ unit: String?, _ ucd: String, _ text: String, _ values: [Estimate]) {
            columns.append(
                Column(name, .float(values.map { Float($0.value) }), unit: unit, ucd: ucd, description: text))
            columns.append(
                Column(
                    name + "_err", .float(values.map { Float($0.error) }), unit: unit, ucd: "stat.error;" + ucd,
                    description: "Standard deviation of \(name)"))
        }
        var found: [String] = []
        for row in rows { for band in row.source.bands where !found.contains(band) { found.append(band) } }
        found.removeAll { band in !rows.contains { $0.magnitude(band).value.isFinite } }
        for band in bands ?? found {
            add(
                "mag_" + band, "mag", "phot.mag", "AB magnitude of all the light in \(band)",
                rows.map { $0.magnitude(band) })
        }
        let radii = rows.map { $0.estimate(\.halfLightRadius) }
        add(
            "half_light_radius", "arcsec", "phys.angSize", "Semi-major axis that holds half of the light",
            zip(radii, rows).map { radius, row in
                row.source.pixelScale.map { Estimate(radius.value * $0, error: radius.error * $0) } ?? .unknown
            })
        add("half_light_radius_pix", "pixel", "phys.angSize", "Semi-major axis that holds half of the light", radii)
        // Not sersic_n: that is the fit's, as statmorph has it.
        add("sersic_index", nil, "src.morph", "Sersic index, by the network", rows.map { $0.estimate(\.sersicIndex) })
        add(
            "axis_ratio", nil, "src.ellipticity", "Minor over major axis", rows.map { $0.estimate(\.axisRatio) })
        add(
            "position_angle", "deg", "pos.posAng",
            "Of the major axis, from north through east; without WCS from up to the left",
            rows.map { row in
                let angle = row.estimate(\.angle)
                return Estimate(row.source.orientation.positionAngle(angle.value), error: angle.error)
            })
        add(
            "bulge_fraction", nil, "src.morph", "Share of the light that is the bulge's",
            rows.map { $0.estimate(\.bulgeFraction) })
        columns.append(
            Column(
                "snr", .float(rows.map { Float($0.source.estimate?.signalToNoise ?? .nan) }), ucd: "stat.snr",
                description: "Signal to noise of the light within the reference circle"))
        return columns
    }

    private func classical() -> [Column] {
        let values = rows.map { $0.source.classical }
        var columns = MorphologyMeasurement.names.map { name in
            Column(
                name, .double(values.map { $0?[name] ?? MorphologyMeasurement.invalid }), unit: Self.unit(of: name),
                description: "As statmorph defines it")
        }
        columns.append(
            Column(
                "flag", .int32(values.map { Int32($0?.flag ?? 4) }), ucd: "meta.code.qual",
                description: "0 good, 1 suspect, 2 bad, 4 nothing measured"))
        columns.append(
            Column(
                "flag_sersic", .int32(values.map { Int32($0?.flagSersic ?? 4) }), ucd: "meta.code.qual",
                description: "Of the Sersic fit: 0 good, 1 at a limit, 2 bad, 4 not done"))
        return columns
    }

    private static func unit(of name: String) -> String? {
        if name.hasPrefix("orientation") || name == "sersic_theta" { return "rad" }
        let isLength =
            name.hasPrefix("xc_") || name.hasPrefix("yc_") || name.hasPrefix("rpetro") || name.hasPrefix("rhalf")
            || name.hasPrefix("rmax") || ["r20", "r50", "r80", "sersic_rhalf", "sersic_xc", "sersic_yc"].contains(name)
        return isLength ? "pixel" : nil
    }
}
