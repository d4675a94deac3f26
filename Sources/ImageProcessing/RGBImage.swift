import AstroIO

/// A colour picture for eyes and networks: 8-bit RGB, interleaved, top row first.
public struct RGBImage: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// height × width × 3.
    public var samples: [UInt8]

    public init(width: Int, height: Int, samples: [UInt8]) {
        precondition(
            samples.count == width * height * 3 && width > 0 && height > 0,
            "[RGBImage] expected \(height) × \(width) × 3 samples, got \(samples.count)")
        self.width = width
        self.height = height
        self.samples = samples
    }

    /// The picture in another size: area average down, cubic up.
    public func resized(width newWidth: Int, height newHeight: Int) -> RGBImage {
        guard newWidth != width || newHeight != height else { return self }
        let resampler = Resampler(from: (width, height), to: (newWidth, newHeight))
        let values = resampler.apply(samples.map { Float($0) }, channels: 3)
        return RGBImage(
            width: newWidth, height: newHeight, samples: values.map { UInt8(min(max($0 + 0.5, 0), 255)) })
    }

    /// Writes the picture as PNG.
    ///
    /// - Throws: `ImageError` (`output`).
    public func writePNG(to path: String) throws(ImageError) {
        try PNGWriter.write(width: width, height: height, channels: 3, samples: samples, to: path)
    }
}
