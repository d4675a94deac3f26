internal import CImageCodecs

/// PNG and JPEG files as images: samples as stored (0 … 255 or 0 … 65535), top row first.
enum PictureReader {
    /// The largest picture that is read, in pixels.
    static let maximalPixels: Int64 = 1 << 28

    enum Format: String {
        case png = "PNG"
        case jpeg = "JPEG"
    }

    /// Decodes a file that is already in memory.
    ///
    /// Bands are "R", "G", "B" or "grey". Pixels with alpha 0 are masked as `noData`; other alpha values are ignored.
    static func read(_ bytes: [UInt8], format: Format, path: String) throws(ImageError) -> Image {
        var picture = image_codecs_picture()
        var message = [CChar](repeating: 0, count: Int(IMAGE_CODECS_MESSAGE_SIZE))
        let status = bytes.withUnsafeBufferPointer { buffer in
            switch format {
            case .png: image_codecs_read_png(buffer.baseAddress, buffer.count, maximalPixels, &picture, &message)
            case .jpeg: image_codecs_read_jpeg(buffer.baseAddress, buffer.count, maximalPixels, &picture, &message)
            }
        }
        guard status == 0, let samples = picture.samples else {
            let reason = message.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            throw ImageError(.damaged, path: path, "\(format.rawValue): \(reason)")
        }
        defer { image_codecs_free(samples) }

        let (width, height, channels) = (Int(picture.width), Int(picture.height), Int(picture.channels))
        let colours = channels >= 3 ? 3 : 1
        let plane = width * height
        let wide = picture.bytes_per_sample == 2
        var mask: [PixelMask]?
        let pixels = [Float](unsafeUninitializedCapacity: colours * plane) { buffer, count in
            if wide {
                deinterleave(samples.assumingMemoryBound(to: UInt16.self), plane, channels, colours, buffer)
            } else {
                deinterleave(samples.assumingMemoryBound(to: UInt8.self), plane, channels, colours, buffer)
            }
            count = colours * plane
        }
        if channels == 2 || channels == 4 {
            var found = false
            var planeMask = [PixelMask](repeating: [], count: plane)
            for i in 0..<plane {
                let at = i * channels + channels - 1
                let alpha =
                    wide
                    ? Int(samples.assumingMemoryBound(to: UInt16.self)[at])
                    : Int(samples.assumingMemoryBound(to: UInt8.self)[at])
                if alpha == 0 {
                    planeMask[i] = .noData
                    found = true
                }
            }
            if found { mask = (0..<colours).flatMap { _ in planeMask } }
        }
        return Image(
            bands: colours == 3 ? ["R", "G", "B"] : ["grey"], width: width, height: height, pixels: pixels, mask: mask,
            rowOrder: .topDown, sampleMaximum: wide ? 65535 : 255,
            provenance: ImageProvenance(
                format: format.rawValue, sources: [.init(path: path, role: colours == 3 ? "R,G,B" : "grey")]))
    }

    private static func deinterleave<Sample: FixedWidthInteger>(
        _ samples: UnsafePointer<Sample>, _ plane: Int, _ channels: Int, _ colours: Int,
        _ out: UnsafeMutableBufferPointer<Float>
    ) {
        for colour in 0..<colours {
            for i in 0..<plane { out[colour * plane + i] = Float(samples[i * channels + colour]) }
        }
    }
}
