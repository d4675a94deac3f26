internal import CImageCodecs
internal import Foundation

/// Writes PNG pictures, to a temporary name that is renamed at the end.
public enum PNGWriter {
    /// Writes 8-bit samples.
    ///
    /// - Parameters:
    ///   - channels: 1 (grey) or 3 (RGB).
    ///   - samples: height × width × channels, top row first.
    /// - Throws: `ImageError` (`output`).
    public static func write(
        width: Int, height: Int, channels: Int, samples: [UInt8], to path: String
    ) throws(ImageError) {
        try write(width: width, height: height, channels: channels, samples: samples, bytesPerSample: 1, to: path)
    }

    /// Writes 16-bit samples.
    public static func write(
        width: Int, height: Int, channels: Int, samples: [UInt16], to path: String
    ) throws(ImageError) {
        try write(width: width, height: height, channels: channels, samples: samples, bytesPerSample: 2, to: path)
    }

    private static func write<Sample>(
        width: Int, height: Int, channels: Int, samples: [Sample], bytesPerSample: Int, to path: String
    ) throws(ImageError) {
        precondition(
            (channels == 1 || channels == 3) && samples.count == width * height * channels && width > 0 && height > 0,
            "[PNGWriter] expected \(height) × \(width) × \(channels) samples, got \(samples.count)")
        let temporary = path + ".part-\(getpid())"
        var message = [CChar](repeating: 0, count: Int(IMAGE_CODECS_MESSAGE_SIZE))
        var samples = samples
        let status = samples.withUnsafeMutableBytes { bytes in
            var picture = image_codecs_picture(
                width: Int32(width), height: Int32(height), channels: Int32(channels),
                bytes_per_sample: Int32(bytesPerSample), samples: bytes.baseAddress)
            return image_codecs_write_png(temporary, &picture, &message)
        }
        guard status == 0 else {
            let reason = message.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            unlink(temporary)
            throw ImageError(.output, path: path, reason)
        }
        guard rename(temporary, path) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(temporary)
            throw ImageError(.output, path: path, "cannot be renamed from \(temporary): \(reason)")
        }
    }
}
