internal import CFITSIO
internal import Foundation

/// Writes images as FITS files that other software reads, and that ``ImageReader`` reads back the same.
///
/// Layouts:
/// - `.cube` (default): one image HDU named `IMAGE` of bands × height × width (no third axis for a single band), with
///   BANDS = 'g,r,z' (FILTER for a single band) and, for a whole image, the extensions `MASK` and `VARIANCE` of the same shape.
/// - `.extensions`: an empty primary HDU with BANDS, and for each band an HDU named after it (EXTNAME and FILTER), followed
///   by `<band>_MASK` and `<band>_VARIANCE`.
///
/// MASK holds the raw values of ``PixelMask``; its MP_ cards name the bits as Rubin and HSC do. Every HDU carries CHECKSUM
/// and DATASUM. The file appears under its name when it is complete; a failed run leaves the old one in place.
public enum FITSImageWriter {
    public enum Layout: Sendable { case cube, extensions }

    public enum PixelFormat: Sendable {
        case float32
        /// 16-bit integers with BSCALE and BZERO over the range of each HDU; off by at most half a BSCALE, NaN is BLANK.
        case int16
    }

    public enum Compression: Sendable {
        case none
        /// Lossless.
        case gzip
        /// Lossless for `int16`; `float32` is quantized with subtractive dither, see `quantization`.
        case rice
        case hcompress
    }

    public struct Options: Sendable {
        public var layout: Layout
        public var pixelFormat: PixelFormat
        public var compression: Compression
        /// How many steps the noise's standard deviation is divided into where floats are quantized (`rice`,
        /// `hcompress`); 16 loses nothing that photometry sees (Pence et al. 2010, PASP 122, 1065).
        public var quantization: Float
        public var writesMask: Bool
        public var writesVariance: Bool
        /// EXTNAME of the image in the `.cube` layout.
        public var imageName: String
        /// Write the standard deviation as the extension `UNCERTAINTY` instead of the variance (`.cube` layout).
        public var writesUncertainty: Bool
        /// HISTORY lines after those of the image's own history.
        public var history: [String]
        /// height × width numbers of sources, 0 for sky, rows from the bottom: an extension SEGMENTATION of the `cube` layout.
        public var segmentation: [Int32]?

        public init(
            layout: Layout = .cube, pixelFormat: PixelFormat = .float32, compression: Compression = .none,
            quantization: Float = 16, writesMask: Bool = true, writesVariance: Bool = true,
            imageName: String = "IMAGE", writesUncertainty: Bool = false, history: [String] = []
        ) {
            self.layout = layout
            self.pixelFormat = pixelFormat
            self.compression = compression
            self.quantization = quantization
            self.writesMask = writesMask
            self.writesVariance = writesVariance
            self.imageName = imageName
            self.writesUncertainty = writesUncertainty
            self.history = history
        }
    }

    /// Writes the image, replacing a file of that name. Rows go from bottom to top in FITS, so a picture is turned over.
    ///
    /// - Throws: `ImageError` (`output`) when the file cannot be written.
    public static func write(_ image: Image, to path: String, options: Options = Options()) throws(ImageError) {
        let image = image.rowOrder == .topDown ? image.flippedForFITS() : image
        let temporary = PendingFile.temporaryPath(for: path)
        var written = false
        defer { if !written { unlink(temporary) } }
        var handle = try FITSImageHandle(creating: temporary, for: path)
        switch options.layout {
        case .cube: try writeCube(image, options, to: &handle)
        case .extensions: try writeExtensions(image, options, to: &handle)
        }
        try handle.close()
        do {
            try PendingFile.rename(temporary, to: path)
        } catch {
            throw ImageError(.output, path: path, error.reason)
        }
        written = true
    }

    // MARK: - Layouts

    private static func writeCube(_ image: Image, _ options: Options, to handle: inout FITSImageHandle)
        throws(ImageError)
    {
        var axes = [image.width, image.height]
        if image.bands.count > 1 { axes.append(image.bands.count) }
        let isPrimary = options.compression == .none
        if !isPrimary {
            try handle.createImage(bitpix: 8, axes: [])
            try handle.writeChecksum()
        }
        var cards = [text("EXTNAME", options.imageName)] + bandCards(image.bands)
        cards += headerCards(image, options)
        try writePlane(image.pixels[...], axes: axes, cards: cards, options, to: &handle)
        let geometry = wcsCards(image)
        if options.writesMask, let mask = image.mask {
            try writeMask(mask[...], axes: axes, name: "MASK", cards: geometry, options, to: &handle)
        }
        if options.writesVariance, let variance = image.variance {
            let deviations = options.writesUncertainty
            let unit = deviations ? image.unit.map { [text("BUNIT", $0)] } ?? [] : varianceCards(image)
            let cards = [text("EXTNAME", deviations ? "UNCERTAINTY" : "VARIANCE")] + unit + geometry
            let plane = deviations ? variance.map { $0.squareRoot() } : variance
            try writePlane(plane[...], axes: axes, cards: cards, options.exact, to: &handle)
        }
        if let segmentation = options.segmentation {
            precondition(
                segmentation.count == image.planeSize,
                "[write] expected a segmentation of \(image.planeSize) pixels, got \(segmentation.count)")
            try handle.createImage(
                bitpix: LONG_IMG, axes: [image.width, image.height], compression: isPrimary ? .none : .gzip)
            for card in [text("EXTNAME", "SEGMENTATION")] + geometry { try handle.write(card) }
            try handle.write(integers: segmentation)
            try handle.writeChecksum()
        }
    }

    private static func writeExtensions(
        _ image: Image, _ options: Options, to handle: inout FITSImageHandle
    ) throws(ImageError) {
        try handle.createImage(bitpix: 8, axes: [])
        for card in bandCards(image.bands) { try handle.write(card) }
        try handle.writeChecksum()
        let axes = [image.width, image.height]
        let geometry = wcsCards(image)
        for (index, band) in image.bands.enumerated() {
            let range = (index * image.planeSize)..<((index + 1) * image.planeSize)
            let cards = [text("EXTNAME", band), text("FILTER", band)] + headerCards(image, options)
            try writePlane(image.pixels[range], axes: axes, cards: cards, options, to: &handle)
            if options.writesMask, let mask = image.mask {
                try writeMask(mask[range], axes: axes, name: "\(band)_MASK", cards: geometry, options, to: &handle)
            }
            if options.writesVariance, let variance = image.variance {
                let cards = [text("EXTNAME", "\(band)_VARIANCE")] + varianceCards(image) + geometry
                try writePlane(variance[range], axes: axes, cards: cards, options.exact, to: &handle)
            }
        }
    }

    // MARK: - Planes

    private static func writePlane(
        _ pixels: ArraySlice<Float>, axes: [Int], cards: [FITSHeader.Card], _ options: Options,
        to handle: inout FITSImageHandle
    ) throws(ImageError) {
        let tiles = tileCompression(options.compression)
        switch options.pixelFormat {
        case .float32:
            // cfitsio quantizes floats for every algorithm but gzip.
            let quantized = options.compression == .rice || options.compression == .hcompress
            try handle.createImage(
                bitpix: FLOAT_IMG, axes: axes, compression: tiles, quantization: quantized ? options.quantization : nil)
            for card in cards { try handle.write(card) }
            try handle.write(pixels, quantized: quantized)
        case .int16:
            let scaled = ScaledPlane(pixels)
            try handle.createImage(bitpix: SHORT_IMG, axes: axes, compression: tiles)
            for card in cards { try handle.write(card) }
            try handle.write(.init("BSCALE", value: real(scaled.scale), comment: "value = BZERO + BSCALE * stored"))
            try handle.write(.init("BZERO", value: real(scaled.zero)))
            try handle.write(.init("BLANK", value: "-32768", comment: "stored value of missing pixels"))
            try handle.write(stored: scaled.stored)
        }
        try handle.writeChecksum()
    }

    private static func writeMask(
        _ mask: ArraySlice<PixelMask>, axes: [Int], name: String, cards: [FITSHeader.Card], _ options: Options,
        to handle: inout FITSImageHandle
    ) throws(ImageError) {
        let tiles: FITSImageHandle.TileCompression = options.compression == .none ? .none : .plio
        try handle.createImage(bitpix: BYTE_IMG, axes: axes, compression: tiles)
        try handle.write(text("EXTNAME", name))
        for (bit, keyword, meaning) in FITSMaskPlanes.cards {
            try handle.write(.init(keyword, value: String(bit), comment: meaning))
        }
        for card in cards { try handle.write(card) }
        try handle.write(bytes: mask.map(\.rawValue))
        try handle.writeChecksum()
    }

    private static func tileCompression(_ compression: Compression) -> FITSImageHandle.TileCompression {
        switch compression {
        case .none: .none
        case .gzip: .gzip
        case .rice: .rice
        case .hcompress: .hcompress
        }
    }

    // MARK: - Cards

    private static func text(_ keyword: String, _ value: String) -> FITSHeader.Card {
        .init(keyword, value: value, isText: true)
    }

    private static func real(_ value: Double) -> String {
        let text = String(describing: value).uppercased()
        return text.contains(".") ? text : text.replacing("E", with: ".0E")
    }

    private static func bandCards(_ bands: [String]) -> [FITSHeader.Card] {
        if bands.count == 1 { return [text("FILTER", bands[0])] }
        var cards = [text("BANDS", bands.joined(separator: ","))]
        if bands.count <= 999 {
            cards += bands.enumerated().map { .init("BAND\($0)", value: $1, isText: true, comment: "plane \($0 + 1)") }
        }
        return cards
    }

    private static func wcsCards(_ image: Image) -> [FITSHeader.Card] { image.wcs?.headerCards() ?? [] }

    private static func varianceCards(_ image: Image) -> [FITSHeader.Card] {
        image.unit.map { [text("BUNIT", "(\($0))**2")] } ?? []
    }

    /// LTV and LTM, and sections of the detector.
    private static func isPositionInParent(_ keyword: String) -> Bool {
        let part = IndexedKeyword(keyword)
        if part.stem == "LTV" || part.stem == "LTM" { return true }
        return ["DATASEC", "TRIMSEC", "BIASSEC", "CCDSEC", "DETSEC", "AMPSEC"].contains { keyword.hasPrefix($0) }
    }

    /// Unit, WCS, what the image's header says beside its form, and the history.
    private static func headerCards(_ image: Image, _ options: Options) -> [FITSHeader.Card] {
        var cards = image.unit.map { [text("BUNIT", $0)] } ?? []
        let geometry = wcsCards(image)
        cards += geometry
        let isMoved = !image.provenance.history.isEmpty
        let own = Set(geometry.map(\.keyword))
        for card in image.header.cards {
            if FITSCardWriter.isStructural(card.keyword) || own.contains(card.keyword) || card.keyword == "FILTER" {
                continue
            }
            // What wcslib read is written afresh; the position of a cut-out in its parent holds only while nothing was cut.
            if image.wcs != nil && WCS.concerns(card.keyword) && !["MJD-OBS", "DATE-OBS"].contains(card.keyword) {
                continue
            }
            if isMoved && isPositionInParent(card.keyword) { continue }
            cards.append(card)
        }
        for line in image.provenance.history + options.history {
            cards.append(.init("HISTORY", value: nil, comment: line))
        }
        return cards
    }
}

extension FITSImageWriter.Options {
    /// The same without loss: variances have a range that 16 bits or quantization would spoil, and infinity.
    fileprivate var exact: Self {
        var options = self
        options.pixelFormat = .float32
        if compression != .none { options.compression = .gzip }
        return options
    }
}

extension Image {
    /// The rows in the order of FITS.
    fileprivate func flippedForFITS() -> Image {
        func flip<Value>(_ values: [Value]) -> [Value] {
            var result: [Value] = []
            result.reserveCapacity(values.count)
            for band in bands.indices {
                for y in stride(from: height - 1, through: 0, by: -1) {
                    let start = (band * height + y) * width
                    result += values[start..<(start + width)]
                }
            }
            return result
        }
        return Image(
            bands: bands, width: width, height: height, pixels: flip(pixels), mask: mask.map(flip),
            variance: variance.map(flip), rowOrder: .bottomUp, wcs: wcs?.flippedVertically(height: height),
            header: header, unit: unit, sampleMaximum: sampleMaximum, provenance: provenance)
    }
}

/// Pixels as 16-bit integers: value = zero + scale · stored. −32768 stands for missing ones.
struct ScaledPlane {
    let stored: [Int16]
    let scale: Double
    let zero: Double

    init(_ pixels: ArraySlice<Float>) {
        var (low, high) = (Float.infinity, -Float.infinity)
        for value in pixels where value.isFinite {
            low = min(low, value)
            high = max(high, value)
        }
        if low > high { (low, high) = (0, 0) }
        let range = Double(high) - Double(low)
        // Two values are kept free at either end: −32768 is BLANK.
        scale = range > 0 ? range / 65533 : 1
        zero = range > 0 ? Double(low) + range / 2 : Double(low)
        let (scale, zero) = (scale, zero)
        stored = pixels.map { value in
            guard value.isFinite else { return .min }
            return Int16(min(32767, max(-32767, ((Double(value) - zero) / scale).rounded())))
        }
    }
}

/// How the bits of a MASK extension are called, after Rubin's and HSC's MP_ cards (bit numbers).
enum FITSMaskPlanes {
    static let cards: [(bit: Int, keyword: String, meaning: String)] = [
        (0, "MP_NODAT", "no data: blank, NaN or zero weight"), (1, "MP_BAD", "bad, reason not known"),
        (2, "MP_SAT", "saturated"), (3, "MP_CR", "cosmic ray"), (4, "MP_INTRP", "interpolated"),
        (5, "MP_PAD", "outside the image cut from"),
    ]
}
