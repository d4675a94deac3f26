/// What a file's name says of its content: the parts between `-`, `_` and `.`, and the ending.
struct FileNameParts {
    /// Name without endings, such as `m51-g` of `m51-g.fits.gz`.
    let stem: String
    let isFITS: Bool
    let isPicture: Bool
    private let parts: [Substring]

    private static let fitsEndings: Set<String> = ["fits", "fit", "fts", "fz"]
    private static let pictureEndings: Set<String> = ["png", "jpg", "jpeg"]
    private static let packings: Set<String> = ["gz", "bz2", "z"]
    /// Names of bands, by wavelength.
    static let bands = ["u", "U", "B", "g", "V", "r", "R", "i", "I", "z", "Z", "y", "Y", "J", "H", "K", "Ks"]
    private static let roles: [String: Role] = [
        "ooi": .image, "image": .image, "img": .image, "sci": .image,
        "oow": .weight, "weight": .weight, "wht": .weight, "invvar": .weight, "ivar": .weight,
        "ood": .mask, "mask": .mask, "dq": .mask,
        "sigma": .sigma, "rms": .sigma, "err": .sigma, "noise": .sigma,
        "var": .variance, "variance": .variance,
        "psf": .other, "psfex": .other, "seg": .other, "segmentation": .other, "back": .other, "cat": .other,
    ]

    /// What a file is to the image beside it.
    enum Role {
        case image, weight, mask, sigma, variance
        /// No image and no plane of one that is used: PSF, segmentation, background, catalog.
        case other
    }

    init(name: String) {
        var pieces = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        var ending = pieces.count > 1 ? pieces.removeLast().lowercased() : ""
        if Self.packings.contains(ending), pieces.count > 1, Self.fitsEndings.contains(pieces.last!.lowercased()) {
            ending = pieces.removeLast().lowercased()
        } else if ending == "fz", pieces.count > 1, Self.fitsEndings.contains(pieces.last!.lowercased()) {
            pieces.removeLast()
        }
        stem = pieces.joined(separator: ".")
        isFITS = Self.fitsEndings.contains(ending)
        isPicture = Self.pictureEndings.contains(ending)
        parts = stem.split(omittingEmptySubsequences: false) { "-_.".contains($0) }
    }

    /// The role that a part of the name gives, and the stem without that part.
    var role: (role: Role, rest: String)? {
        for (index, part) in parts.enumerated() {
            if let role = Self.roles[part.lowercased()] { return (role, replacing(index, by: "")) }
        }
        return nil
    }

    /// The band that a part of the name gives (the last such part), and the stem without it.
    var band: (name: String, rest: String)? {
        for (index, part) in parts.enumerated().reversed() where Self.bands.contains(String(part)) {
            return (String(part), replacing(index, by: ""))
        }
        return nil
    }

    private func replacing(_ index: Int, by text: String) -> String {
        parts.enumerated().filter { $0.offset != index || !text.isEmpty }.map { String($0.element) }
            .joined(separator: "_")
    }
}
