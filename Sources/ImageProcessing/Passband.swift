/// Photometric bands by name.
public enum Passband {
    /// Central wavelengths in nm: ugrizy as SDSS and LSST have them, Johnson–Cousins and near-infrared letters, and the bands of
    /// space telescopes that have names.
    private static let wavelengths: [String: Float] = [
        "FUV": 154, "NUV": 232, "u": 355, "U": 365, "B": 445, "g": 480, "V": 550, "r": 625, "R": 660, "i": 770,
        "I": 800, "z": 910, "Z": 880, "y": 1000, "Y": 1020, "J": 1250, "H": 1630, "K": 2190, "Ks": 2150, "VIS": 715,
        "W1": 3350, "W2": 4600,
    ]

    /// The central wavelength in nm of a band: `r`, `Ks`, `VIS`, `F814W` and `F160W` as on HST, or by its first letter
    /// (`r_sdss`, `g-band`). Nil for a name that says nothing, such as `grey` or `band1`.
    public static func wavelength(of name: String) -> Float? {
        if let known = wavelengths[name] { return known }
        // HST: F606W is 606 nm; below F250 the number is in units of 10 nm (WFC3/IR).
        if name.count >= 5, name.first == "F" || name.first == "f", let number = Int(name.dropFirst().prefix(3)) {
            return Float(number < 250 ? 10 * number : number)
        }
        let second = name.dropFirst().first
        guard let first = name.first, second.map({ !$0.isLetter }) ?? true else { return nil }
        return wavelengths[String(first)]
    }

    /// Wavelengths of an image's bands, nm. The red, green and blue of a survey's colour picture are taken as i, r and g, the
    /// commonest choice; bands whose names say nothing as red light, or, if there are several, as standing in the order of
    /// wavelength between g and z.
    public static func wavelengths(of bands: [String]) -> [Float] {
        if bands == ["R", "G", "B"] { return [770, 625, 480] }
        let unknown = bands.filter { wavelength(of: $0) == nil }.count
        var seen = 0
        return bands.map { band in
            if let known = wavelength(of: band) { return known }
            seen += 1
            return unknown == 1 ? 625 : 480 + 430 * Float(seen - 1) / Float(unknown - 1)
        }
    }
}
