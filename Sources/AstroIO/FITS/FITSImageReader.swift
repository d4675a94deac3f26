/// FITS image HDUs as images.
enum FITSImageReader {
    static func read(_ bytes: [UInt8], path: String, options: ImageReadOptions) throws(ImageError) -> Image {
        let structure = try FITSStructure(bytes, path: path)
        let hdu = try select(structure, options.hdu, path: path)
        let others = options.hdu == nil ? otherBands(than: hdu, in: structure) : []
        var result: Image?
        for hdu in [hdu] + others {
            var image = try image(bytes, hdu, in: structure, path: path)
            if let band = band(of: hdu), !others.isEmpty { image.bands = [band] }
            if options.joinsPlanes {
                try joinSiblings(of: hdu, among: others.count + 1, in: structure, bytes, to: &image, path: path)
            }
            if result == nil { result = image } else { try result?.join(image, from: path) }
        }
        return result!
    }

    /// Where the header of an HDU begins.
    static func headerOffset(_ hdu: FITSStructure.HDU, in structure: FITSStructure) -> Int {
        guard hdu.number > 0 else { return 0 }
        let previous = structure.hdus[hdu.number - 1]
        return previous.dataOffset + (previous.dataSize + 2879) / 2880 * 2880
    }

    static func pixels(
        _ bytes: [UInt8], _ hdu: FITSStructure.HDU, in structure: FITSStructure, path: String
    ) throws(ImageError) -> FITSPixels {
        try FITSPixels(bytes, hdu, headerOffset: headerOffset(hdu, in: structure), path: path)
    }

    // MARK: - Choice

    private static func select(
        _ structure: FITSStructure, _ wanted: String?, path: String
    ) throws(ImageError) -> FITSStructure.HDU {
        let hdus = structure.hdus
        guard let wanted else {
            for hdu in hdus where isImage(hdu) && role(of: hdu) == nil { return hdu }
            // A file of planes only (a mask, a weight map) is an image too.
            for hdu in hdus where isImage(hdu) { return hdu }
            if let broken = hdus.first(where: { $0.defect != nil }) {
                throw ImageError(.damaged, path: path, hdu: broken.number, broken.defect!)
            }
            throw ImageError(
                .content, path: path,
                "holds no image, only \(hdus.map { $0.kind == .image ? "empty HDU" : $0.kind.rawValue }.joined(separator: ", "))"
            )
        }
        let found =
            Int(wanted).map { number in hdus.first { $0.number == number } }
            ?? hdus.first { $0.name.lowercased() == wanted.lowercased() }
        guard let found else {
            throw ImageError(
                .content, path: path,
                "has no HDU '\(wanted)'; there are: \(hdus.map { "\($0.number) \($0.name)" }.joined(separator: ", "))")
        }
        guard isImage(found) else {
            throw ImageError(
                .content, path: path, hdu: found.number,
                "is no image with two or three axes, but \(found.kind.rawValue) \(found.axes)")
        }
        return found
    }

    /// Whether an HDU has two or three axes that are longer than one pixel or stand for it.
    static func isImage(_ hdu: FITSStructure.HDU) -> Bool {
        let axes = hdu.axes
        return axes.count >= 2 && axes.allSatisfy { $0 > 0 } && axes.dropFirst(2).filter { $0 > 1 }.count <= 1
    }

    // MARK: - Image

    private static func image(
        _ bytes: [UInt8], _ hdu: FITSStructure.HDU, in structure: FITSStructure, path: String
    ) throws(ImageError) -> Image {
        let axes = hdu.axes
        let (width, height) = (axes[0], axes[1])
        let planes = axes.dropFirst(2).reduce(1, *)
        let header = hdu.header
        let bands = bandNames(header, primary: structure.hdus[0].header, count: planes, path: path)
        let pixels = try pixels(bytes, hdu, in: structure, path: path)
        var values = pixels.floats
        var mask: [PixelMask]?
        if let blanks = pixels.blanks {
            for (index, isBlank) in blanks.enumerated() where isBlank { values[index] = .nan }
        }
        if values.contains(where: { !$0.isFinite }) {
            var marked = mask ?? [PixelMask](repeating: [], count: values.count)
            for (index, value) in values.enumerated() where !value.isFinite { marked[index].insert(.noData) }
            mask = marked
        }
        let wcs =
            (try? WCS(header: header, path: path, hdu: hdu.number))
            ?? (hdu.number > 0 ? try? WCS(header: structure.hdus[0].header, path: path, hdu: 0) : nil)
        return Image(
            bands: bands, width: width, height: height, pixels: values, mask: mask, rowOrder: .bottomUp, wcs: wcs,
            header: header, unit: header.text("BUNIT"),
            provenance: ImageProvenance(
                format: "FITS", sources: [.init(path: path, hdu: hdu.number, role: bands.joined(separator: ","))]))
    }

    /// Names of the planes of an image: BANDS ("grz" or "g,r,z"), BAND1 …, FILTER1 … in the header; for a single plane
    /// FILTER or BAND; then a part of the file's name; then numbers from 0.
    private static func bandNames(
        _ header: FITSHeader, primary: FITSHeader, count: Int, path: String
    ) -> [String] {
        func text(_ keyword: String) -> String? { header.text(keyword) ?? primary.text(keyword) }
        func accepted(_ names: [String]) -> [String]? {
            names.count == count && Set(names).count == count && names.allSatisfy { !$0.isEmpty } ? names : nil
        }
        if let list = text("BANDS") {
            let parts = list.split { ", ;".contains($0) }.map(String.init)
            if let names = accepted(parts) ?? accepted(list.map { String($0) }) { return names }
        }
        for prefix in ["BAND", "FILTER"] where count > 1 {
            for start in [0, 1] {
                let names = (start..<start + count).compactMap { text("\(prefix)\($0)") }
                if let names = accepted(names) { return names }
            }
        }
        if count == 1 {
            for keyword in ["BAND", "FILTER", "FILTNAM1"] {
                if let name = text(keyword)?.split(separator: " ").first { return [String(name)] }
            }
            if let name = BandName.inFileName(path) { return [name] }
            return ["image"]
        }
        return (0..<count).map(String.init)
    }

    // MARK: - Other HDUs

    /// The band that an HDU of one plane is in, by BAND, FILTER or its name.
    static func band(of hdu: FITSStructure.HDU) -> String? {
        guard isImage(hdu), hdu.axes.dropFirst(2).allSatisfy({ $0 == 1 }) else { return nil }
        for keyword in ["BAND", "FILTER"] {
            if let name = hdu.header.text(keyword)?.split(separator: " ").first { return String(name) }
        }
        let parts = (hdu.header.text("EXTNAME") ?? "").split(separator: "_")
        return parts.first { BandName.known.contains(String($0)) }.map(String.init)
    }

    /// The images of the same size in other bands: a file with an extension a band is one image. Two HDUs of one band are
    /// different exposures, and none of them is joined.
    private static func otherBands(
        than hdu: FITSStructure.HDU, in structure: FITSStructure
    ) -> [FITSStructure.HDU] {
        guard let own = band(of: hdu) else { return [] }
        let others = structure.hdus.filter {
            $0.number != hdu.number && $0.axes == hdu.axes && role(of: $0) == nil && band(of: $0) != nil
        }
        let bands = [own] + others.compactMap(band)
        return Set(bands).count == bands.count ? others : []
    }

    /// What an extension is to the image, by IMAGETYP or its name, which may begin with the band.
    static func role(of hdu: FITSStructure.HDU) -> Companions.Role? {
        if let type = hdu.header.text("IMAGETYP"), let role = Companions.role(ofExtension: type) { return role }
        let name = hdu.header.text("EXTNAME") ?? ""
        if let role = Companions.role(ofExtension: name) { return role }
        let parts = name.split(separator: "_", maxSplits: 1)
        guard parts.count == 2, BandName.known.contains(String(parts[0])) else { return nil }
        return Companions.role(ofExtension: String(parts[1]))
    }

    /// - Parameter bands: how many HDUs give bands; among several, a plane belongs to that of its own band.
    private static func joinSiblings(
        of hdu: FITSStructure.HDU, among bands: Int, in structure: FITSStructure, _ bytes: [UInt8],
        to image: inout Image, path: String
    ) throws(ImageError) {
        let version = hdu.header.integer("EXTVER") ?? 1
        for sibling in structure.hdus where sibling.number != hdu.number && isImage(sibling) && sibling.axes == hdu.axes
        {
            guard let role = role(of: sibling) else { continue }
            if bands > 1 {
                if let own = band(of: sibling), own != image.bands[0] { continue }
            } else if (sibling.header.integer("EXTVER") ?? 1) != version {
                continue
            }
            let plane = try pixels(bytes, sibling, in: structure, path: path)
            Companions.join(plane, as: role, header: sibling.header, to: &image)
            image.provenance.sources.append(.init(path: path, hdu: sibling.number, role: role.rawValue))
        }
    }
}

/// Band names that file names carry.
enum BandName {
    static let known: Set<String> = [
        "u", "g", "r", "i", "z", "y", "Y", "J", "H", "K", "Ks", "U", "B", "V", "R", "I", "Z",
    ]

    /// The last part of a file's name between `-`, `_` and `.` that is a band.
    static func inFileName(_ path: String) -> String? {
        let name = path.split(separator: "/").last ?? ""
        return name.split { "-_.".contains($0) }.last { known.contains(String($0)) }.map(String.init)
    }
}
