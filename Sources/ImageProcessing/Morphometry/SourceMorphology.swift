import Foundation

/// Measures the classical, non-parametric morphology of a source, and fits a Sérsic profile to it.
///
/// The order and the parameters are those of statmorph, against which `benchmarks/parameters/statmorph_compare.py` compares:
/// Petrosian η = 0.2, rings one pixel wide, concentration and asymmetry within 1.5 Petrosian radii, smoothing with a quarter of the
/// Petrosian radius, fluxes within two.
package enum SourceMorphology {
    /// Which parts are measured.
    package struct Parts: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// Multimode, intensity and deviation.
        package static let multimode = Parts(rawValue: 1)
        package static let sersic = Parts(rawValue: 2)
        package static let all: Parts = [.multimode, .sersic]
    }

    /// - Parameter fit: settings of the Sérsic fit.
    /// - Returns: flag 4 and −99 everywhere where the source has no pixels or no positive light.
    package static func measure(
        _ input: MorphometryInput, parts: Parts = .all, fit: SersicFit.Settings = SersicFit.Settings()
    ) -> MorphologyMeasurement {
        var result = MorphologyMeasurement()
        guard let stamp = SourceStamp(input), let centroid = stamp.segment.centroid else {
            result.flag = 4
            result.flagSersic = 4
            return result
        }
        result.touchesEdge = stamp.touchesEdge
        var (xc, yc) = (centroid.x, centroid.y)
        if xc < 0 || yc < 0 || xc >= Double(stamp.width) || yc >= Double(stamp.height) {
            (xc, yc) = (Double(stamp.width) / 2, Double(stamp.height) / 2)
            result.mark(2)
        }
        if stamp.light[Int(xc), Int(yc)] == 0 { result.mark(2) }
        write(SourceShape(stamp.segment, x: xc, y: yc), at: (xc, yc), as: "centroid", stamp, &result)

        // The centre that the galaxy is most symmetric about, and what is measured around it.
        let sky = SkyBox(stamp)
        if sky == nil { result.mark(2) }
        let asymmetry = Asymmetry(light: stamp.light, masked: stamp.masked, skyAsymmetry: sky?.asymmetry ?? 0)
        let preliminary = ApertureRadii(stamp, x: xc, y: yc).petrosian(diagonal: stamp.diagonal)
        if preliminary.isBad { result.mark(2) }
        let centre = symmetryCentre(stamp, asymmetry, from: (xc, yc), petrosian: preliminary.radius, &result)
        let shape = SourceShape(stamp.segment, x: centre.x, y: centre.y)
        write(shape, at: centre, as: "asymmetry", stamp, &result)
        let casAperture = Aperture(x: centre.x, y: centre.y, outer: 1.5 * preliminary.radius)
        result["asymmetry"] = asymmetry(turningAbout: centre.x, centre.y, in: casAperture) ?? 100
        result["rms_asymmetry2"] =
            asymmetry.squared(turningAbout: centre.x, centre.y, in: casAperture, skySigma: sky?.sigma ?? 0)
            ?? MorphologyMeasurement.invalid
        result["sky_mean"] = sky?.mean ?? MorphologyMeasurement.invalid
        result["sky_median"] = sky?.median ?? MorphologyMeasurement.invalid
        result["sky_sigma"] = sky?.sigma ?? MorphologyMeasurement.invalid

        let circle = ApertureRadii(stamp, x: centre.x, y: centre.y)
        let ellipse = ApertureRadii(
            stamp, x: centre.x, y: centre.y, axisRatio: shape.axisRatio, angle: shape.orientation)
        let petrosianCircle = circle.petrosian(diagonal: stamp.diagonal)
        let petrosianEllipse = ellipse.petrosian(diagonal: stamp.diagonal)
        if petrosianCircle.isBad || petrosianEllipse.isBad { result.mark(2) }
        let radius = petrosianCircle.radius
        result["rpetro_circ"] = radius
        result["rpetro_ellip"] = petrosianEllipse.radius
        result["flux_circ"] = abs(circle.aperture(outer: 2 * radius).sum(stamp.light))
        result["flux_ellip"] = abs(ellipse.aperture(outer: 2 * petrosianEllipse.radius).sum(stamp.light))
        concentration(circle, 1.5 * radius, &result)
        smoothness(stamp, sky, centre, petrosian: radius, &result)

        // Gini, M20, and the other maps of pixels.
        let gini = GiniM20.segment(
            of: stamp.light, x: xc, y: yc, petrosianRadius: petrosianEllipse.radius, shape: shape)
        result.mark(gini.flag)
        giniM20(stamp, gini.map, &result)
        let detection = DetectionSegment.find(
            stamp, x: centre.x, y: centre.y, petrosianRadius: petrosianEllipse.radius, skyBox: sky)
        if detection.isBad { result.mark(2) }
        let reach = outerRadii(detection.map, centre, shape)
        result["rmax_circ"] = reach.circle
        result["rmax_ellip"] = reach.ellipse
        halfLight("rhalf_circ", circle, reach.circle, &result)
        halfLight("rhalf_ellip", ellipse, reach.ellipse, &result)
        let outer = Aperture(
            x: centre.x, y: centre.y, inner: result["rhalf_ellip"], outer: reach.ellipse, axisRatio: shape.axisRatio,
            angle: shape.orientation)
        result["outer_asymmetry"] = asymmetry(turningAbout: centre.x, centre.y, in: outer) ?? 100
        let map = Asymmetry(light: detection.map.map { $0 ? 1 : 0 }, masked: stamp.masked, skyAsymmetry: 0)
        result["shape_asymmetry"] =
            map(turningAbout: centre.x, centre.y, in: Aperture(x: centre.x, y: centre.y, outer: reach.circle))
            ?? MorphologyMeasurement.invalid

        if parts.contains(.multimode) { multimode(stamp, gini.map, &result) }
        if parts.contains(.sersic) {
            SersicFit(settings: fit).measure(stamp, centre: centre, shape: shape, &result)
        } else {
            result.flagSersic = 4
        }
        if let sky, abs(sky.mean) > sky.sigma { result.mark(2) }
        return result
    }

    // MARK: - Parts

    private static func write(
        _ shape: SourceShape, at centre: (x: Double, y: Double), as name: String, _ stamp: SourceStamp,
        _ result: inout MorphologyMeasurement
    ) {
        result["xc_" + name] = centre.x + Double(stamp.x0)
        result["yc_" + name] = centre.y + Double(stamp.y0)
        result["ellipticity_" + name] = shape.ellipticity
        result["elongation_" + name] = shape.elongation
        result["orientation_" + name] = shape.orientation
        if shape.isDoubtful { result.mark(2) }
    }

    /// The point of least asymmetry; from the brightest pixel where the search from the centroid drifts off by more than a quarter
    /// of the Petrosian radius, and the centroid where that one does, too.
    private static func symmetryCentre(
        _ stamp: SourceStamp, _ asymmetry: Asymmetry, from centroid: (x: Double, y: Double), petrosian: Double,
        _ result: inout MorphologyMeasurement
    ) -> (x: Double, y: Double) {
        func search(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
            let found = Minimization.simplex(from: (x, y), tolerance: 1e-4) { point in
                asymmetry(
                    turningAbout: point.0, point.1,
                    in: Aperture(x: point.0, y: point.1, outer: 1.5 * petrosian)) ?? 100
            }
            return (found.0, found.1)
        }
        let limit = 0.25 * petrosian
        var centre = search(centroid.x, centroid.y)
        if hypot(centre.x - centroid.x, centre.y - centroid.y) > limit {
            result.mark(1)
            let peak = stamp.segment.maximum
            centre = search(Double(peak.x), Double(peak.y))
            if hypot(centre.x - Double(peak.x), centre.y - Double(peak.y)) > limit {
                result.mark(2)
                centre = centroid
            }
        }
        let inside = (0..<Double(stamp.width)).contains(centre.x) && (0..<Double(stamp.height)).contains(centre.y)
        if !inside || stamp.light[Int(centre.x), Int(centre.y)] == 0 { result.mark(2) }
        return inside ? centre : centroid
    }

    /// C = 5 log₁₀ (r₈₀ / r₂₀) (Conselice 2003; Lotz et al. 2004).
    private static func concentration(_ radii: ApertureRadii, _ total: Double, _ result: inout MorphologyMeasurement) {
        for (name, fraction) in [("r20", 0.2), ("r50", 0.5), ("r80", 0.8)] {
            let (radius, isBad) = radii.radius(holding: fraction, of: total)
            if isBad { result.mark(2) }
            result.set(name, radius > 0 ? radius : nil)
        }
        let (inner, outer) = (result["r20"], result["r80"])
        result["concentration"] = inner > 0 && outer > 0 ? 5 * log10(outer / inner) : MorphologyMeasurement.invalid
    }

    /// S = Σ max(0, I − I_smooth) / Σ I between 0.25 and 1.5 Petrosian radii, less that of the sky (Lotz et al. 2004, eq. 11).
    private static func smoothness(
        _ stamp: SourceStamp, _ sky: SkyBox?, _ centre: (x: Double, y: Double), petrosian: Double,
        _ result: inout MorphologyMeasurement
    ) {
        let box = Int(0.25 * petrosian)
        let ring = Aperture(x: centre.x, y: centre.y, inner: 0.25 * petrosian, outer: 1.5 * petrosian)
        let smooth = stamp.light.boxFiltered(size: box)
        let difference = Plane(
            width: stamp.width, height: stamp.height,
            values: zip(stamp.light.values, smooth.values).map { max(0, $0 - $1) })
        let flux = ring.sum(stamp.light)
        let clumps = ring.sum(difference) - ring.area * (sky?.smoothness(box: box) ?? 0)
        result.set("smoothness", flux > 0 ? clumps / flux : nil)
    }

    private static func giniM20(_ stamp: SourceStamp, _ map: Plane<Bool>, _ result: inout MorphologyMeasurement) {
        let (gini, m20) = (GiniM20.gini(stamp.light, in: map), GiniM20.m20(stamp.light, in: map))
        result.set("gini", gini)
        result.set("m20", m20)
        if let gini, let m20 {
            result["gini_m20_bulge"] = -0.693 * m20 + 4.95 * gini - 3.96
            result["gini_m20_merger"] = 0.139 * m20 + 0.990 * gini - 0.327
        }
        var (sum, count) = (0.0, 0)
        for index in map.values.indices where map.values[index] {
            let (light, sigma) = (stamp.light.values[index], stamp.sigma.values[index])
            if light >= 0 && sigma > 0 {
                sum += light / sigma
                count += 1
            }
        }
        result.set("sn_per_pixel", count > 0 ? sum / Double(count) : nil)
    }

    /// The largest distance of the map's pixels from the centre, and the semi-major axis of the ellipse that holds all of them.
    private static func outerRadii(
        _ map: Plane<Bool>, _ centre: (x: Double, y: Double), _ shape: SourceShape
    ) -> (circle: Double, ellipse: Double) {
        let (c, s) = (cos(shape.orientation), sin(shape.orientation))
        var (circle, ellipse) = (0.0, 0.0)
        for y in 0..<map.height {
            for x in 0..<map.width where map[x, y] {
                let (dx, dy) = (Double(x) - centre.x, Double(y) - centre.y)
                circle = max(circle, hypot(dx, dy))
                ellipse = max(ellipse, hypot(dx * c + dy * s, (dy * c - dx * s) * shape.elongation))
            }
        }
        return (circle, ellipse)
    }

    private static func halfLight(
        _ name: String, _ radii: ApertureRadii, _ total: Double, _ result: inout MorphologyMeasurement
    ) {
        guard total > 0 else {
            result[name] = 0
            result.mark(2)
            return
        }
        let (radius, isBad) = radii.radius(holding: 0.5, of: total)
        if isBad { result.mark(2) }
        result[name] = radius
    }

    private static func multimode(_ stamp: SourceStamp, _ gini: Plane<Bool>, _ result: inout MorphologyMeasurement) {
        let statistics = MultimodeIntensityDeviation(stamp, fallback: gini)
        if statistics.isBad { result.mark(2) }
        result["multimode"] = statistics.multimode()
        let (intensity, deviation) = statistics.intensityAndDeviation()
        result["intensity"] = intensity
        result.set("deviation", deviation)
        // Very different maps are suspect.
        let overlap = zip(gini.values, statistics.segment.values).reduce(0) { $0 + ($1.0 && $1.1 ? 1 : 0) }
        let larger = max(gini.count, statistics.segment.count)
        if larger == 0 { result.mark(2) } else if Double(overlap) / Double(larger) < 0.25 { result.mark(1) }
    }
}
