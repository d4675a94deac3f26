public import AstroIO

/// What is true of one source of a simulated field.
public struct SourceTruth: Sendable, Equatable {
    /// Number of the source in the segmentation, from 1.
    public var id: Int
    public var kind: SourceKind
    public var isStar: Bool { kind == .star }
    /// Pixel position counted from 0, of the main galaxy's centre.
    public var x: Double
    public var y: Double
    /// ICRS degrees.
    public var ra: Double
    public var dec: Double
    /// Of all of its light, AB, a number a band.
    public var magnitudes: [Double]
    /// Bulge's share of the light in r; 1 for an elliptical.
    public var bulgeFraction: Double
    /// Along the major axis, of the whole source, before the PSF, arcsec; 0 for a star.
    public var halfLightRadius: Double
    /// Of a galaxy with bulge and disc: of the one profile whose radii holding 20 % and 80 % of the light have the same ratio.
    /// 0 for a star.
    public var sersicIndex: Double
    /// Minor over major axis; of a galaxy with bulge and disc, the mean of theirs weighted with their light.
    public var axisRatio: Double
    /// Of the major axis, degrees from north through east, 0 … 180.
    public var positionAngle: Double
    /// Pixels of the segmentation that are its own.
    public var visiblePixels = 0
    /// Inside these, other sources' light is more than a fifth of its own.
    public var blended = false

    /// The median, over bands, of the standard magnitude: that in r.
    public var magnitude: Double { magnitudes[magnitudes.count / 2] }
}

/// A defect of a simulated field.
public struct ArtefactTruth: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case saturation
        case cosmicRay = "cosmic_ray"
        case trail
        case badColumn = "bad_column"
    }

    public var kind: Kind
    /// Number of the band in the image.
    public var band: Int
    /// Middle of the pixels it touches, counted from 0.
    public var x: Double
    public var y: Double
    /// How many it touches: those flagged for it in the mask.
    public var pixels: Int
    /// What it added to the image, nanomaggies; NaN for a column that does not count.
    public var flux: Double
}

/// A field of the sky with all that is true of it.
public struct SimulatedField: Sendable {
    /// g, r, z in nanomaggies, sky subtracted; with WCS, variance and mask.
    public var image: Image
    /// bands × height × width: what falls on the pixels, behind the PSF, without noise and artefacts.
    public var noiseless: [Float]
    /// The same through a PSF of `FieldSettings.sharpFWHM`.
    public var sharp: [Float]?
    /// bands × 2 height × 2 width: flux in each pixel of a grid of half the pixel's side.
    public var fine: [Float]?
    /// height × width: 0 for sky, else the number of the brightest source there.
    public var segmentation: [Int32]
    public var sources: [SourceTruth]
    public var artefacts: [ArtefactTruth]
    /// FWHM of the PSF in each band, arcsec.
    public var seeing: [Double]
    /// Exposure in units of the bands' own.
    public var depth: Double
}
