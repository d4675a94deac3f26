internal import CSEP

/// The sky and its noise, smooth over an image: the clipped mode of boxes, median-filtered and joined by bicubic splines, as
/// SExtractor finds it (Bertin & Arnouts 1996, A&AS 117, 393).
public struct BackgroundModel: Sendable {
    /// How the model is found.
    public struct Settings: Sendable, Codable, Hashable {
        /// Side of a box, pixels: larger than the largest source that is to survive.
        public var box: Int
        /// Side of the median filter, boxes.
        public var filter: Int

        public init(box: Int = 64, filter: Int = 3) {
            self.box = box
            self.filter = filter
        }
    }

    /// Sky of every pixel, height × width.
    public let level: [Float]
    /// Standard deviation of the noise of every pixel, height × width.
    public let noise: [Float]
    /// Median over the boxes.
    public let globalLevel: Float
    public let globalNoise: Float

    /// - Parameters:
    ///   - pixels: height × width; NaN does not count.
    ///   - mask: not 0 is masked; nil for none.
    /// - Throws: `ExtractionError` (`noPixels`) when nothing is left to measure.
    public init(
        of pixels: [Float], mask: [UInt8]?, width: Int, height: Int, settings: Settings = Settings()
    ) throws(ExtractionError) {
        guard settings.box > 0, settings.filter > 0 else {
            throw ExtractionError(.settings, "background boxes of \(settings.box) pixels, filter \(settings.filter)")
        }
        let usable = pixels.indices.contains { pixels[$0].isFinite && (mask?[$0] ?? 0) == 0 }
        guard usable else { throw ExtractionError(.noPixels, "every pixel is masked or not finite") }
        var model: UnsafeMutablePointer<sep_bkg>?
        let status = pixels.withUnsafeBufferPointer { data in
            Self.withOptional(mask) { mask in
                var image = SEPLibrary.image(data.baseAddress!, noise: nil, mask: mask, width: width, height: height)
                return sep_background(
                    &image, Int32(min(settings.box, width)), Int32(min(settings.box, height)), Int32(settings.filter),
                    Int32(settings.filter), 0, &model)
            }
        }
        try SEPLibrary.check(status)
        defer { sep_bkg_free(model) }
        globalLevel = sep_bkg_global(model)
        globalNoise = sep_bkg_globalrms(model)
        var level = [Float](repeating: 0, count: pixels.count)
        var noise = level
        try SEPLibrary.check(sep_bkg_array(model, &level, SEP_TFLOAT))
        try SEPLibrary.check(sep_bkg_rmsarray(model, &noise, SEP_TFLOAT))
        self.level = level
        self.noise = noise
    }

    private static func withOptional<Value, Result>(
        _ values: [Value]?, _ body: (UnsafePointer<Value>?) -> Result
    ) -> Result {
        guard let values else { return body(nil) }
        return values.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}
