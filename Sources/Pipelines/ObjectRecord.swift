/// What a run knows of one input object: one line in the journal, one row in the catalog or in the failures table.
public struct ObjectRecord: Codable, Sendable, Equatable {
    /// Unique name, the catalog's `id_str`.
    public var id: String
    /// Files the object was read from, relative to the input folder where they lie below it.
    public var files: [String]
    /// Position of the stamp's centre, ICRS degrees; nil without a WCS.
    public var ra: Double?
    public var dec: Double?
    /// Size of the image in pixels, before the stamp was cut.
    public var width: Int
    public var height: Int
    /// Bands in the image, by name.
    public var bands: [String]
    /// Arcseconds a pixel of the image; nil without a WCS.
    public var pixelScale: Double?
    /// Fraction of the stamp's pixels that are masked.
    public var maskFraction: Float
    /// `QualityFlags` bits.
    public var flags: Int32
    /// Why the object could not be used; nil for an object that has an embedding.
    public var failure: Failure?

    /// Cells that analysing stages added, by column.
    var values: [String: AnalysisValue]?
    /// Stages that could not do their part; the object is in the catalog nevertheless.
    public var problems: [Failure]?

    public struct Failure: Codable, Sendable, Equatable {
        /// The stage that gave up, as named in the run file.
        public var stage: String
        public var reason: String

        public init(stage: String, reason: String) {
            self.stage = stage
            self.reason = reason
        }
    }

    public init(
        id: String, files: [String], ra: Double? = nil, dec: Double? = nil, width: Int = 0, height: Int = 0,
        bands: [String] = [], pixelScale: Double? = nil, maskFraction: Float = 0, flags: Int32 = 0,
        failure: Failure? = nil
    ) {
        self.id = id
        self.files = files
        self.ra = ra
        self.dec = dec
        self.width = width
        self.height = height
        self.bands = bands
        self.pixelScale = pixelScale
        self.maskFraction = maskFraction
        self.flags = flags
        self.failure = failure
    }
}
