/// The classical measurements of one source, by the names and conventions of statmorph (Rodriguez-Gomez et al. 2019, MNRAS 483,
/// 4140): lengths in pixels, angles in radians from +x towards +y, positions counted from 0 in the image; −99 where a quantity
/// could not be measured.
///
/// Trust a row where `flag` is at most 1, `sn_per_pixel` at least 2.5 and `r20` larger than half of the seeing.
public struct MorphologyMeasurement: Sendable {
    public static let invalid = -99.0

    /// How far to trust the measurement: 0 good, 1 suspect, 2 bad, 4 nothing was measured.
    public package(set) var flag = 0
    /// How far to trust the Sérsic fit: 0 good, 1 a parameter is at its limit, 2 bad, 4 not done.
    public package(set) var flagSersic = 0
    /// The source reaches the border of the image.
    public package(set) var touchesEdge = false
    /// All the light of the fitted Sérsic profile, in the image's unit; nil without a fit.
    public package(set) var sersicFlux: Double?
    private var values: [String: Double] = [:]

    package init() {}

    /// The names of all quantities, in the order of columns.
    public static let names = [
        "xc_centroid", "yc_centroid", "ellipticity_centroid", "elongation_centroid", "orientation_centroid",
        "xc_asymmetry", "yc_asymmetry", "ellipticity_asymmetry", "elongation_asymmetry", "orientation_asymmetry",
        "flux_circ", "flux_ellip", "rpetro_circ", "rpetro_ellip", "rmax_circ", "rmax_ellip", "rhalf_circ",
        "rhalf_ellip",
        "r20", "r50", "r80", "gini", "m20", "gini_m20_bulge", "gini_m20_merger", "sn_per_pixel", "concentration",
        "asymmetry", "smoothness", "multimode", "intensity", "deviation", "rms_asymmetry2", "outer_asymmetry",
        "shape_asymmetry", "sersic_amplitude", "sersic_rhalf", "sersic_n", "sersic_xc", "sersic_yc", "sersic_ellip",
        "sersic_theta", "sersic_chi2_dof", "sky_mean", "sky_median", "sky_sigma",
    ]

    /// A quantity by its name; −99 where it could not be measured.
    public package(set) subscript(name: String) -> Double {
        get { values[name] ?? Self.invalid }
        set { values[name] = newValue.isFinite ? newValue : Self.invalid }
    }

    /// Raises the flag.
    mutating func mark(_ level: Int) { flag = max(flag, level) }

    mutating func set(_ name: String, _ value: Double?) {
        if let value, value.isFinite {
            self[name] = value
        } else {
            self[name] = Self.invalid
            mark(2)
        }
    }
}
