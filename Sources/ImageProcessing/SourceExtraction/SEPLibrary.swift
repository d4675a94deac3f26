internal import CSEP
import Synchronization

/// What all calls of libsep (Barbary 2016, doi:10.21105/joss.00058) share: its limits, and its status codes as errors.
enum SEPLibrary {
    /// Raises the limits that stop extraction in crowded fields: sub-objects of one object (default 1024) and pixels above the
    /// threshold (default 300 000). They are global in the library, so they are set under a lock and only ever grow; the library
    /// counts the bytes of the pixels in 32 bits.
    static func raiseLimits(pixels: Int) {
        limits.withLock { limit in
            let needed = min(max(pixels, 1_000_000), 24_000_000)
            guard needed > limit else { return }
            limit = needed
            sep_set_extract_pixstack(needed)
            sep_set_sub_object_limit(65_536)
        }
    }

    private static let limits = Mutex(0)

    static func check(_ status: Int32) throws(ExtractionError) {
        guard status != 0 else { return }
        var text = [CChar](repeating: 0, count: 64)
        sep_get_errmsg(status, &text)
        let reason = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        throw ExtractionError(.library, "libsep: \(reason)")
    }

    /// A plane as the library wants it; the pointers must outlive it.
    ///
    /// - Parameters:
    ///   - noise: standard deviations, or nil.
    ///   - mask: not 0 is masked.
    ///   - segments: numbers of the sources that own the pixels, 0 for sky.
    static func image(
        _ data: UnsafePointer<Float>, noise: UnsafePointer<Float>?, mask: UnsafePointer<UInt8>?,
        segments: UnsafePointer<Int32>? = nil, width: Int, height: Int
    ) -> sep_image {
        return sep_image(
            data: data, noise: noise, mask: mask, segmap: segments, dtype: SEP_TFLOAT, ndtype: SEP_TFLOAT,
            mdtype: SEP_TBYTE, sdtype: SEP_TINT, w: Int32(width), h: Int32(height), noiseval: 0,
            noise_type: Int16(noise == nil ? SEP_NOISE_NONE : SEP_NOISE_STDDEV), gain: 0, maskthresh: 0)
    }
}
