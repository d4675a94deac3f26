internal import CSEP

/// AUTO photometry: the flux in an ellipse of 2.5 Kron radii (Kron 1980, ApJS 43, 305; SExtractor's FLUX_AUTO), and the radius that
/// holds half of it. Pixels of other sources and masked ones are replaced by the mean of the rest of the aperture.
public struct KronPhotometry: Sendable {
    /// PHOT_AUTOPARAMS: Kron radii of the aperture.
    public var factor = 2.5
    /// Smallest aperture, as the radius of a circle, pixels: half of PHOT_AUTOPARAMS' 3.5, as SEP's manual does.
    public var minimumRadius = 1.75

    public init() {}

    /// What is measured of a source in one band.
    public struct Measurement: Sendable, Equatable {
        /// In the band's unit.
        public var flux: Double
        public var fluxError: Double
        /// Kron radius in units of a and b; 0 where it cannot be measured.
        public var kronRadius: Double
        /// Radius that holds half the flux, pixels; NaN where the flux is not positive.
        public var halfLightRadius: Double
        /// SEP's aperture flags: 0x10 truncated, 0x20 has masked pixels, 0x40 all masked, 0x80 not positive.
        public var flags: Int

        public init(flux: Double, fluxError: Double, kronRadius: Double, halfLightRadius: Double, flags: Int) {
            self.flux = flux
            self.fluxError = fluxError
            self.kronRadius = kronRadius
            self.halfLightRadius = halfLightRadius
            self.flags = flags
        }
    }

    /// Measures all sources of a segmentation in a band.
    ///
    /// - Parameter kronRadii: of the detection image, so that all bands have one aperture; measured in this band when nil.
    /// - Throws: `ExtractionError` (`library`).
    public func measure(
        _ segmentation: Segmentation, pixels: [Float], noise: [Float], mask: [UInt8], kronRadii: [Double]? = nil
    ) throws(ExtractionError) -> [Measurement] {
        let result: Result<[Measurement], ExtractionError> = pixels.withUnsafeBufferPointer { data in
            noise.withUnsafeBufferPointer { noise in
                mask.withUnsafeBufferPointer { mask in
                    segmentation.map.withUnsafeBufferPointer { map in
                        var image = SEPLibrary.image(
                            data.baseAddress!, noise: noise.baseAddress, mask: mask.baseAddress,
                            segments: map.baseAddress, width: segmentation.width, height: segmentation.height)
                        return Result { () throws(ExtractionError) in
                            var list: [Measurement] = []
                            list.reserveCapacity(segmentation.sources.count)
                            for (index, source) in segmentation.sources.enumerated() {
                                list.append(
                                    try measure(source, number: Int32(index + 1), kronRadii?[index], &image))
                            }
                            return list
                        }
                    }
                }
            }
        }
        return try result.get()
    }

    private func measure(
        _ source: DetectedSource, number: Int32, _ known: Double?, _ image: inout sep_image
    ) throws(ExtractionError) -> Measurement {
        var (kron, flags, flag): (Double, Int16, Int16) = (0, 0, 0)
        if let known {
            kron = known
        } else {
            let ellipse = source.ellipse
            try SEPLibrary.check(
                sep_kron_radius(
                    &image, source.x, source.y, ellipse.cxx, ellipse.cyy, ellipse.cxy, 6, number, &kron, &flag))
            flags |= flag
        }
        if !kron.isFinite { kron = 0 }
        var (flux, error, area): (Double, Double, Double) = (0, 0, 0)
        if kron * (source.a * source.b).squareRoot() < minimumRadius {
            try SEPLibrary.check(
                sep_sum_circle(
                    &image, source.x, source.y, minimumRadius, number, 1, 0, &flux, &error, &area, &flag))
        } else {
            try SEPLibrary.check(
                sep_sum_ellipse(
                    &image, source.x, source.y, source.a, source.b, min(max(source.theta, -.pi / 2), .pi / 2),
                    factor * kron, number, 1, 0, &flux, &error, &area, &flag))
        }
        flags |= flag
        var half = Double.nan
        if flux > 0 {
            var (total, fraction) = (flux, 0.5)
            try SEPLibrary.check(
                sep_flux_radius(
                    &image, source.x, source.y, 6 * source.a, number, 5, 0, &total, &fraction, 1, &half, &flag))
        }
        return Measurement(
            flux: flux, fluxError: error, kronRadius: kron, halfLightRadius: half, flags: Int(flags))
    }
}
