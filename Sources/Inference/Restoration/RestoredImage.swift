public import AstroIO

/// A restored image and what was done to it.
public struct RestoredImage: Sendable {
    /// Restored pixels; the variance is that of the error that is left; filled pixels are marked as interpolated.
    public var image: Image
    public var bands: [Band]

    /// What happened to one band.
    public struct Band: Sendable {
        public var name: String
        /// Standard deviation of the sky's noise that was taken, in the image's unit, and whether it was measured on the image
        /// or comes from its variance.
        public var noise: Float
        public var noiseIsMeasured: Bool
        /// Pixels that were masked or no numbers.
        public var masked: Int
        /// Pixels found to be cosmic rays, trails or defects that were not masked.
        public var found: Int
        public var flux: FluxReport
    }
}
