internal import CSEP

/// Classical source detection: convolution, threshold, deblending by multiple thresholds, cleaning (Bertin & Arnouts 1996, A&AS
/// 117, 393; through libsep, Barbary 2016, doi:10.21105/joss.00058). Defaults are SExtractor's.
public struct SourceExtractor: Sendable {
    /// How the kernel 1 2 1, 2 4 2, 1 2 1 is used.
    public enum Filter: String, Sendable, Codable, Hashable {
        case none
        /// The threshold is in units of the unfiltered noise, as in SExtractor.
        case convolution
        /// The threshold is in units of the filtered noise, which is lower: at the same number it finds fainter sources, and many
        /// peaks of the noise.
        case matched
    }

    public struct Settings: Sendable, Codable, Hashable {
        /// DETECT_THRESH, in units of the noise.
        public var threshold: Double
        /// DETECT_MINAREA, pixels.
        public var minimumArea: Int
        /// DEBLEND_NTHRESH.
        public var deblendThresholds: Int
        /// DEBLEND_MINCONT; 1 for no deblending.
        public var deblendContrast: Double
        /// CLEAN_PARAM; nil for no cleaning.
        public var clean: Double?
        /// What the image is convolved with before the threshold.
        public var filter: Filter

        public init(
            threshold: Double = 1.5, minimumArea: Int = 5, deblendThresholds: Int = 32,
            deblendContrast: Double = 0.005, clean: Double? = 1, filter: Filter = .convolution
        ) {
            self.threshold = threshold
            self.minimumArea = minimumArea
            self.deblendThresholds = deblendThresholds
            self.deblendContrast = deblendContrast
            self.clean = clean
            self.filter = filter
        }
    }

    public var settings: Settings

    public init(_ settings: Settings = Settings()) { self.settings = settings }

    /// The sources of a detection image and their segments.
    ///
    /// - Throws: `ExtractionError` (`settings`, `library`).
    public func extract(_ image: DetectionImage) throws(ExtractionError) -> Segmentation {
        let settings = settings
        guard settings.threshold > 0, settings.minimumArea > 0, settings.deblendThresholds > 0,
            (0...1).contains(settings.deblendContrast), settings.clean.map({ $0 > 0 }) ?? true
        else { throw ExtractionError(.settings, "impossible settings of source extraction: \(settings)") }
        SEPLibrary.raiseLimits(pixels: image.pixels.count)
        let kernel: [Float] = [1, 2, 1, 2, 4, 2, 1, 2, 1]
        var catalog: UnsafeMutablePointer<sep_catalog>?
        let status = image.pixels.withUnsafeBufferPointer { data in
            image.noise.withUnsafeBufferPointer { noise in
                image.mask.withUnsafeBufferPointer { mask in
                    kernel.withUnsafeBufferPointer { kernel in
                        var plane = SEPLibrary.image(
                            data.baseAddress!, noise: noise.baseAddress, mask: mask.baseAddress, width: image.width,
                            height: image.height)
                        return sep_extract(
                            &plane, Float(settings.threshold), SEP_THRESH_REL, Int32(settings.minimumArea),
                            settings.filter == .none ? nil : kernel.baseAddress, 3, 3,
                            settings.filter == .matched ? SEP_FILTER_MATCHED : SEP_FILTER_CONV,
                            Int32(settings.deblendThresholds), settings.deblendContrast, settings.clean == nil ? 0 : 1,
                            settings.clean ?? 1, &catalog)
                    }
                }
            }
        }
        try SEPLibrary.check(status)
        defer { sep_catalog_free(catalog) }
        let found = catalog!.pointee
        var map = [Int32](repeating: 0, count: image.pixels.count)
        let sources = (0..<Int(found.nobj)).map { i in
            for k in 0..<Int(found.npix[i]) { map[Int(found.pix[i]![k])] = Int32(i + 1) }
            return DetectedSource(
                x: found.x[i], y: found.y[i], xMinimum: Int(found.xmin[i]), xMaximum: Int(found.xmax[i]),
                yMinimum: Int(found.ymin[i]), yMaximum: Int(found.ymax[i]), area: Int(found.npix[i]),
                a: Double(found.a[i]), b: Double(found.b[i]), theta: Double(found.theta[i]),
                isophotalFlux: Double(found.flux[i]), peak: Double(found.peak[i]), flags: Int(found.flag[i]))
        }
        return Segmentation(sources: sources, map: map, width: image.width, height: image.height)
    }
}
