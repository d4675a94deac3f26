/// Why a pixel does not count.
public struct PixelMask: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// BLANK, NaN, zero weight, or outside the exposed area.
    public static let noData = PixelMask(rawValue: 1)
    /// Marked in the data-quality plane without a reason that is known here.
    public static let bad = PixelMask(rawValue: 2)
    public static let saturated = PixelMask(rawValue: 4)
    public static let cosmicRay = PixelMask(rawValue: 8)
    /// The value was interpolated from neighbours.
    public static let interpolated = PixelMask(rawValue: 16)
    /// Outside the image that a cut-out was made from.
    public static let padded = PixelMask(rawValue: 32)
}

/// Which row of a picture comes first in memory.
public enum RowOrder: String, Sendable, Codable {
    /// FITS: the first row is drawn at the bottom.
    case bottomUp
    /// PNG and JPEG: the first row is drawn at the top.
    case topDown
}

/// Where an image came from.
public struct ImageProvenance: Sendable, Equatable {
    /// One file that contributed.
    public struct Source: Sendable, Equatable {
        public var path: String
        /// HDU number, 0 = primary; nil for formats without HDUs.
        public var hdu: Int?
        /// What it gave: a band's name, `weight`, `mask` …
        public var role: String

        public init(path: String, hdu: Int? = nil, role: String) {
            self.path = path
            self.hdu = hdu
            self.role = role
        }
    }

    /// FITS, PNG or JPEG.
    public var format: String
    public var sources: [Source]
    /// What was done since: crops, resizes.
    public var history: [String] = []

    public init(format: String, sources: [Source]) {
        self.format = format
        self.sources = sources
    }
}

/// An image: bands × height × width, float32, with what is known about every pixel.
///
/// Pixels are band-major and row-major: `pixels[(band · height + y) · width + x]`. x and y count from 0, pixel centres are
/// integers, so that the image covers −0.5 … width − 0.5. Rows are in the order of the file (``rowOrder``). Values are
/// physical ones (BSCALE and BZERO applied) in ``unit``; PNG and JPEG give their samples as stored.
public struct Image: Sendable {
    /// Names of the bands, unique: "g", "r", "z"; "R", "G", "B" for colour pictures; "grey" for grey ones.
    public var bands: [String]
    public let width: Int
    public let height: Int
    /// bands × height × width.
    public var pixels: [Float]
    /// The same shape as `pixels`, or nil when no pixel is masked. It alone says which pixels do not count; a masked
    /// pixel keeps its value.
    public var mask: [PixelMask]?
    /// Variance of each pixel in units of `unit`², the same shape as `pixels`; infinite where the weight is 0, NaN where it
    /// is not known.
    public var variance: [Float]?
    public var rowOrder: RowOrder
    public var wcs: WCS?
    /// Cards of the image HDU; empty for PNG and JPEG.
    public var header: FITSHeader
    /// BUNIT.
    public var unit: String?
    /// The largest value a sample of the file can have (255, 65535); nil for physical values.
    public var sampleMaximum: Float?
    public var provenance: ImageProvenance

    public init(
        bands: [String], width: Int, height: Int, pixels: [Float], mask: [PixelMask]? = nil,
        variance: [Float]? = nil, rowOrder: RowOrder = .bottomUp, wcs: WCS? = nil, header: FITSHeader = FITSHeader(),
        unit: String? = nil, sampleMaximum: Float? = nil,
        provenance: ImageProvenance = ImageProvenance(format: "memory", sources: [])
    ) {
        precondition(
            width > 0 && height > 0 && pixels.count == bands.count * width * height,
            "[Image] expected \(bands.count) × \(height) × \(width) pixels, got \(pixels.count)")
        precondition(Set(bands).count == bands.count, "[Image] expected unique bands, got \(bands)")
        precondition(
            (mask?.count ?? pixels.count) == pixels.count && (variance?.count ?? pixels.count) == pixels.count,
            "[Image] expected mask and variance of \(pixels.count) pixels")
        self.bands = bands
        self.width = width
        self.height = height
        self.pixels = pixels
        self.mask = mask
        self.variance = variance
        self.rowOrder = rowOrder
        self.wcs = wcs
        self.header = header
        self.unit = unit
        self.sampleMaximum = sampleMaximum
        self.provenance = provenance
    }

    /// Pixels of one band.
    public var planeSize: Int { width * height }

    /// The pixels of a band, by name; nil where there is no such band.
    public subscript(band name: String) -> ArraySlice<Float>? {
        guard let index = bands.firstIndex(of: name) else { return nil }
        return pixels[(index * planeSize)..<((index + 1) * planeSize)]
    }

    /// Fraction of all pixels that are masked.
    public var maskFraction: Double {
        guard let mask, !mask.isEmpty else { return 0 }
        return Double(mask.lazy.filter { !$0.isEmpty }.count) / Double(mask.count)
    }

    /// The image with only these bands, in this order.
    ///
    /// - Throws: `ImageError` (`content`) naming the first band that the image does not have.
    public func selecting(bands names: [String]) throws(ImageError) -> Image {
        var indices: [Int] = []
        for name in names {
            guard let index = bands.firstIndex(of: name) else {
                throw ImageError(
                    .content, path: provenance.sources.first?.path ?? "image",
                    "has no band '\(name)', only \(bands.joined(separator: ", "))")
            }
            indices.append(index)
        }
        func pick<Value>(_ values: [Value]) -> [Value] {
            indices.flatMap { values[($0 * planeSize)..<(($0 + 1) * planeSize)] }
        }
        var result = Image(
            bands: names, width: width, height: height, pixels: pick(pixels), mask: mask.map(pick),
            variance: variance.map(pick), rowOrder: rowOrder, wcs: wcs, header: header, unit: unit,
            sampleMaximum: sampleMaximum, provenance: provenance)
        result.provenance.history.append("bands \(names.joined(separator: ","))")
        return result
    }

    /// A rectangle of the image; parts of it outside the image are 0 and masked as `padded`.
    ///
    /// - Parameters: x, y: the corner pixel, counted from 0, in the order of rows in memory; may be negative.
    public func cropped(x: Int, y: Int, width newWidth: Int, height newHeight: Int) -> Image {
        precondition(newWidth > 0 && newHeight > 0, "[cropped] expected a size, got \(newWidth) × \(newHeight)")
        let inside = x >= 0 && y >= 0 && x + newWidth <= width && y + newHeight <= height
        func cut<Value>(_ values: [Value], filler: Value) -> [Value] {
            var result = [Value](repeating: filler, count: bands.count * newWidth * newHeight)
            let first = max(0, -x)
            let last = min(newWidth, width - x)
            guard first < last else { return result }
            for band in bands.indices {
                for row in max(0, -y)..<max(max(0, -y), min(newHeight, height - y)) {
                    let from = (band * height + y + row) * width + x
                    let to = (band * newHeight + row) * newWidth
                    result.replaceSubrange((to + first)..<(to + last), with: values[(from + first)..<(from + last)])
                }
            }
            return result
        }
        var mask = mask.map { cut($0, filler: .padded) }
        if !inside && mask == nil {
            mask = cut([PixelMask](repeating: [], count: pixels.count), filler: .padded)
        }
        var result = Image(
            bands: bands, width: newWidth, height: newHeight, pixels: cut(pixels, filler: 0), mask: mask,
            variance: variance.map { cut($0, filler: .infinity) }, rowOrder: rowOrder,
            wcs: wcs?.cropped(x: Double(x), y: Double(y)), header: header, unit: unit, sampleMaximum: sampleMaximum,
            provenance: provenance)
        result.provenance.history.append("crop x=\(x) y=\(y) width=\(newWidth) height=\(newHeight)")
        return result
    }
}
