/// What a file holds, from its headers alone.
public struct FileDescription: Sendable {
    /// One HDU of a FITS file, or the whole of a picture.
    public struct Part: Sendable {
        /// HDU number, 0 = primary; nil for a picture.
        public var number: Int?
        /// EXTNAME, PRIMARY, or empty.
        public var name: String
        /// Such as `image`, `compressed image`, `binary table`.
        public var kind: String
        /// Such as `float32`, `int16`, `8-bit RGB`; nil for tables.
        public var pixelType: String?
        /// Lengths of the axes, NAXIS1 (the width) first; of a table: bytes in a row, rows.
        public var axes: [Int]
        /// Tile compression (ZCMPTYPE), such as RICE_1.
        public var compression: String?
        /// Band of an image of one plane.
        public var band: String?
        /// What it is to the image beside it: weight, sigma, variance, mask.
        public var role: String?
        public var unit: String?
        public var wcs: WCS?
        /// Why it cannot be read; nil when nothing speaks against it.
        public var defect: String?
        public var header: FITSHeader
    }

    public var path: String
    /// FITS, PNG or JPEG.
    public var format: String
    /// Size on disk, bytes.
    public var fileSize: Int
    /// `gzip`, `bzip2`, `compress`; nil for a file that is not packed.
    public var packing: String?
    public var parts: [Part]
    /// What follows the last HDU, if it is no padding.
    public var trailer: String?
}

extension ImageReader {
    /// Describes a file; a damaged HDU is described as such.
    ///
    /// - Throws: `ImageError` when the file cannot be opened or is of no kind that is read.
    public static func describe(_ path: String) throws(ImageError) -> FileDescription {
        let bytes = try PackedFile.read(path)
        let (size, packing) = try PackedFile.packing(path)
        var result = FileDescription(path: path, format: "FITS", fileSize: size, packing: packing, parts: [])
        switch try kind(of: bytes, path: path) {
        case .picture(let format):
            result.format = format.rawValue
            let image = try PictureReader.read(bytes, format: format, path: path)
            let type = "\(image.sampleMaximum ?? 255 > 255 ? 16 : 8)-bit \(image.bands.count == 3 ? "RGB" : "grey")"
            result.parts = [
                .init(
                    number: nil, name: "", kind: "image", pixelType: type, axes: [image.width, image.height],
                    header: image.header)
            ]
        case .fits:
            let structure = try FITSStructure(bytes, path: path)
            result.parts = structure.hdus.map { FITSImageReader.describe($0, path: path) }
            result.trailer = structure.trailer
        }
        return result
    }
}

extension FITSImageReader {
    static func describe(_ hdu: FITSStructure.HDU, path: String) -> FileDescription.Part {
        let isPicture = hdu.kind == .image || hdu.kind == .compressedImage
        let header = hdu.header
        var part = FileDescription.Part(
            number: hdu.number, name: hdu.name, kind: isPicture && hdu.axes.isEmpty ? "no data" : hdu.kind.rawValue,
            axes: isPicture
                ? hdu.axes : hdu.kind == .other ? [] : [header.integer("NAXIS1") ?? 0, header.integer("NAXIS2") ?? 0],
            compression: hdu.compression, defect: hdu.defect, header: header)
        guard isPicture, !hdu.axes.isEmpty else { return part }
        part.pixelType = pixelType(hdu)
        part.band = band(of: hdu)
        part.role = role(of: hdu)?.rawValue
        part.unit = header.text("BUNIT")
        part.wcs = try? WCS(header: header, path: path, hdu: hdu.number)
        return part
    }

    /// The type of the values: unsigned integers are stored as signed ones with an offset (FITS Standard 4.0, table 11).
    private static func pixelType(_ hdu: FITSStructure.HDU) -> String {
        let header = hdu.header
        let (zero, scale) = (header.number("BZERO") ?? 0, header.number("BSCALE") ?? 1)
        switch (hdu.bitpix, zero, scale) {
        case (-32, _, _): return "float32"
        case (-64, _, _): return "float64"
        case (8, 0, 1): return "uint8"
        case (8, -128, 1): return "int8"
        case (16, 32768, 1): return "uint16"
        case (32, 2_147_483_648, 1): return "uint32"
        case (64, 9_223_372_036_854_775_808, 1): return "uint64"
        case (let bits, 0, 1): return "int\(bits)"
        case (let bits, _, _): return "int\(bits) scaled"
        }
    }
}
