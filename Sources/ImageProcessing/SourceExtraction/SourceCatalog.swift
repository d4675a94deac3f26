public import AstroIO

/// Detected sources as a table with SExtractor's column names, which users have scripts for.
public enum SourceCatalog {
    /// The table of an image.
    ///
    /// FLUX_AUTO, MAG_AUTO and their errors are those of the reference band (``MeasuredSources/referenceBand``); with several
    /// bands each has columns of its own too, `FLUX_AUTO_g` …
    ///
    /// - Parameters:
    ///   - sources: measured in the image.
    ///   - wcs: gives ALPHA_J2000 and DELTA_J2000; NaN without.
    ///   - metadata: further entries, such as the method.
    public static func table(
        _ sources: MeasuredSources, wcs: WCS?, zeroPoint: PhotometricZeroPoint, unit: String?,
        metadata: [CatalogMetadata] = []
    ) throws(CatalogError) -> Catalog {
        let list = sources.segmentation.sources
        let reference = sources.referenceBand
        func column(
            _ name: String, _ values: [Double], _ unit: String?, ucd: String? = nil, _ text: String
        ) -> Column {
            Column(name, .double(values), unit: unit, ucd: ucd, description: text)
        }
        func pixel(_ name: String, _ value: (DetectedSource) -> Int, _ text: String) -> Column {
            Column(name, .int32(list.map { Int32(value($0)) }), unit: "pixel", description: text)
        }
        let positions = list.map { source -> (ra: Double, dec: Double) in
            guard let wcs, wcs.frame != .fk4 else { return (.nan, .nan) }
            return wcs.pixelToSky(x: source.x, y: source.y) ?? (.nan, .nan)
        }
        let count = "counted from 1, centre of the first pixel of the first stored row (1, 1)"
        var columns = [
            Column(
                "NUMBER", .int32((0..<list.count).map { Int32($0 + 1) }), ucd: "meta.record;meta.main",
                description: "Number of the source, its value in the segmentation"),
            column("X_IMAGE", list.map { $0.x + 1 }, "pixel", ucd: "pos.cartesian.x", "Barycentre along x, \(count)"),
            column("Y_IMAGE", list.map { $0.y + 1 }, "pixel", ucd: "pos.cartesian.y", "Barycentre along y, \(count)"),
            column("ALPHA_J2000", positions.map(\.ra), "deg", ucd: "pos.eq.ra;meta.main", "Right ascension, J2000"),
            column("DELTA_J2000", positions.map(\.dec), "deg", ucd: "pos.eq.dec;meta.main", "Declination, J2000"),
        ]
        columns += photometry(sources, band: reference, suffix: "", zeroPoint, unit)
        columns += [
            column(
                "FLUX_RADIUS", sources.detection.map(\.halfLightRadius), "pixel", "Radius that holds half of FLUX_AUTO"),
            column(
                "KRON_RADIUS", sources.detection.map { $0.kronRadius * 2.5 },
                nil, "AUTO aperture in units of A_IMAGE and B_IMAGE: 2.5 Kron radii"),
            column("A_IMAGE", list.map(\.a), "pixel", "RMS of the light along the major axis"),
            column("B_IMAGE", list.map(\.b), "pixel", "RMS of the light along the minor axis"),
            column(
                "THETA_IMAGE", list.map { $0.theta * 180 / .pi }, "deg", "Angle of the major axis from +x towards +y"),
            column("ELLIPTICITY", list.map { 1 - $0.b / $0.a }, nil, "1 - B_IMAGE / A_IMAGE"),
            column(
                "FWHM_IMAGE", list.map { 2 * (0.6931471805599453 * ($0.a * $0.a + $0.b * $0.b)).squareRoot() },
                "pixel", "Full width at half maximum of a Gaussian with these axes"),
            Column(
                "ISOAREA_IMAGE", .int32(list.map { Int32($0.area) }), unit: "pixel**2",
                description: "Pixels of the segment"),
            column("CLASS_STAR", sources.starProbabilities(), nil, "Probability of a point source"),
            Column(
                "FLAGS", .int16(sources.flags().map { $0 }),
                description:
                    "1 masked or no positive light, 2 deblended, 4 saturated, 8 at the edge, 16 aperture truncated, 32 singular"
            ),
            pixel("XMIN_IMAGE", { $0.xMinimum + 1 }, "First column of the segment, from 1"),
            pixel("YMIN_IMAGE", { $0.yMinimum + 1 }, "First row of the segment, from 1"),
            pixel("XMAX_IMAGE", { $0.xMaximum + 1 }, "Last column of the segment, from 1"),
            pixel("YMAX_IMAGE", { $0.yMaximum + 1 }, "Last row of the segment, from 1"),
            column(
                "SNR_DETECTION", sources.detection.map { $0.fluxError > 0 ? $0.flux / $0.fluxError : .nan },
                nil, "FLUX_AUTO over its error in the detection image"),
        ]
        if list.contains(where: { $0.classProbabilities != nil }) { columns += classes(list) }
        if sources.bands.count > 1 {
            for (index, band) in sources.bands.enumerated() {
                columns += photometry(sources, band: index, suffix: "_\(band)", zeroPoint, unit)
            }
        }
        let header = [
            CatalogMetadata(
                "MAGZERO", zeroPoint.magnitude, comment: "AB magnitude of a flux of 1: \(zeroPoint.origin)"),
            CatalogMetadata("REFBAND", sources.bands[reference], comment: "band of FLUX_AUTO and MAG_AUTO"),
        ]
        return try Catalog(name: "SOURCES", columns: columns, metadata: metadata + header)
    }

    private static func photometry(
        _ sources: MeasuredSources, band: Int, suffix: String, _ zeroPoint: PhotometricZeroPoint, _ unit: String?
    ) -> [Column] {
        let measured = sources.photometry[band]
        let magnitudes = measured.map { zeroPoint.magnitude(flux: $0.flux, error: $0.fluxError) }
        let name = sources.bands[band]
        return [
            Column(
                "FLUX_AUTO" + suffix, .double(measured.map(\.flux)), unit: unit, ucd: "phot.flux",
                description: "Flux in the Kron ellipse, band \(name)"),
            Column(
                "FLUXERR_AUTO" + suffix, .double(measured.map(\.fluxError)), unit: unit,
                ucd: "stat.error;phot.flux", description: "Its standard deviation, from the noise of the pixels"),
            Column(
                "MAG_AUTO" + suffix, .double(magnitudes.map(\.value)), unit: "mag", ucd: "phot.mag",
                description: "Magnitude of FLUX_AUTO\(suffix)"),
            Column(
                "MAGERR_AUTO" + suffix, .double(magnitudes.map(\.error)), unit: "mag", ucd: "stat.error;phot.mag",
                description: "Its standard deviation"),
        ]
    }

    private static func classes(_ list: [DetectedSource]) -> [Column] {
        func probability(_ kind: DetectedSource.Class) -> Column {
            Column(
                "P_\(kind.rawValue.uppercased())",
                .double(list.map { $0.classProbabilities?[kind] ?? .nan }),
                description: "Probability of class \(kind.rawValue)")
        }
        return [
            Column(
                "PROBABILITY", .double(list.map(\.probability)),
                description: "Score of the detection, 0 to 1"),
            Column(
                "CLASS", .string(list.map { $0.mostProbableClass?.rawValue }), description: "The most probable class"),
        ] + DetectedSource.Class.allCases.map(probability)
    }
}
