import AstroIO
import Foundation
import ImageProcessing

/// What of an object is shown.
public enum ReviewView: String, Sendable, Hashable, CaseIterable {
    /// The image as it was observed.
    case image
    /// After denoising and deconvolution.
    case restored
    /// The image minus the restored one.
    case residual
}

/// How an object's image is drawn.
public struct PictureSettings: Sendable, Hashable {
    /// How pixel values become brightness.
    public enum Curve: String, Sendable, CaseIterable {
        /// Sky-subtracted and scaled by the noise; 8-bit pictures as they are.
        case asinh
        case linear
        case log
        /// Every brightness on equally many pixels.
        case histogram
    }

    public var view: ReviewView = .image
    /// One band in grey, counted modulo the number of bands; colour when nil.
    public var band: Int?
    public var curve: Curve = .asinh
    /// The middle 1/zoom of the shorter side is shown.
    public var zoom = 1

    public static let zooms = [1, 2, 3, 4, 6, 8]

    public init() {}

    /// Draws an image.
    ///
    /// - Throws: `ImageError` for what the composite cannot draw.
    public func draw(_ image: Image) throws(ImageError) -> RGBImage {
        var image = image
        if zoom > 1 {
            let side = max(min(image.width, image.height) / zoom, 8)
            image = image.cropped(
                x: (image.width - side) / 2, y: (image.height - side) / 2, width: side, height: side)
        }
        if let band {
            let name = image.bands[band % image.bands.count]
            image = try image.selecting(bands: [name])
            return try Composite.rgb(from: image, style: .grey(Self.stretch(curve)))
        }
        if curve == .asinh { return Composite.rgb(from: image) }
        return try colour(image)
    }

    /// Each colour through its own stretch: the limits follow the band, so that none drowns the others.
    private func colour(_ image: Image) throws(ImageError) -> RGBImage {
        var names = Composite.colours(of: image).map { image.bands[$0] }
        if image.sampleMaximum != nil {
            let order = ["R", "G", "B"].filter { image.bands.contains($0) }
            names = order.count == 3 ? order : [String](repeating: image.bands[0], count: 3)
        }
        var planes: [String: RGBImage] = [:]
        for name in Set(names) {
            planes[name] = try Composite.rgb(
                from: image.selecting(bands: [name]), style: .grey(Self.stretch(curve)))
        }
        var result = planes[names[0]]!
        for (channel, name) in names.enumerated().dropFirst() {
            let plane = planes[name]!
            for i in stride(from: channel, to: result.samples.count, by: 3) { result.samples[i] = plane.samples[i] }
        }
        return curve == .histogram ? Self.equalised(result) : result
    }

    private static func stretch(_ curve: Curve) -> Stretch {
        switch curve {
        case .asinh: Stretch(.asinh(), limits: .percentile(99.5))
        case .linear, .histogram: Stretch(.linear, limits: .percentile(99.5))
        case .log: Stretch(.log(), limits: .percentile(99.5))
        }
    }

    /// Brightness replaced by its rank among the pixels; colours keep their ratios.
    package static func equalised(_ picture: RGBImage) -> RGBImage {
        var counts = [Int](repeating: 0, count: 256)
        let samples = picture.samples
        func brightness(_ i: Int) -> Int { (Int(samples[i]) + Int(samples[i + 1]) + Int(samples[i + 2])) / 3 }
        for i in stride(from: 0, to: samples.count, by: 3) { counts[brightness(i)] += 1 }
        let total = samples.count / 3
        var (below, ranks) = (0, [Float](repeating: 0, count: 256))
        for value in 0..<256 {
            ranks[value] = (Float(below) + Float(counts[value]) / 2) / Float(total) * 255
            below += counts[value]
        }
        var result = picture
        for i in stride(from: 0, to: samples.count, by: 3) {
            let old = brightness(i)
            let factor = old > 0 ? ranks[old] / Float(old) : 0
            for channel in 0..<3 {
                let value = old > 0 ? Float(samples[i + channel]) * factor : ranks[0]
                result.samples[i + channel] = UInt8(min(max(value + 0.5, 0), 255))
            }
        }
        return result
    }
}
