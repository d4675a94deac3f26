internal import Foundation

/// Celestial coordinates of an image.
///
/// Pixel positions count from 0, pixel centres are integers (FITS's CRPIX and SExtractor's X_IMAGE count from 1). Sky
/// positions are degrees, right ascension in [0, 360), in the system of the header (``frame``); galactic coordinates
/// are converted to ICRS. All projections and distortions that wcslib knows are applied: TAN, SIP, TPV, ZPN and the others.
/// Distortions given as lookup tables (HST's CPDIS and D2IM, a few hundredths of a pixel) are not.
///
/// A crop, a resize or a flip is kept as a linear map from its pixels to the original ones, so positions stay exact;
/// ``headerCards()`` folds the map into CRPIX, CD and the SIP coefficients.
public struct WCS: Sendable {
    /// The reference system that right ascension and declination are in.
    public enum Frame: String, Sendable {
        case icrs = "ICRS"
        case fk5 = "FK5"
        /// B1950 and older: up to a degree from ICRS today.
        case fk4 = "FK4"
        /// Converted to ICRS here.
        case galactic
        /// Ecliptic, planetary and other longitudes: no right ascension.
        case other
    }

    private let handle: WCSHandle
    /// PV and SIP cards of the header, as they were.
    private let distortionCards: [FITSHeader.Card]
    /// Original pixel = scale · pixel + offset, both counted from 0.
    private var scale: (x: Double, y: Double) = (1, 1)
    private var offset: (x: Double, y: Double) = (0, 0)

    public let frame: Frame

    /// Reads the WCS of a header.
    ///
    /// - Parameter path: named in the error.
    /// - Throws: `ImageError` (`content`) when the header has no valid celestial WCS.
    public init(header: FITSHeader, path: String, hdu: Int? = nil) throws(ImageError) {
        let header = Self.preferringSIP(header)
        // wcslib would take a matrix of zeros for one that is not given.
        let matrix = header.cards.filter { ["CD", "PC"].contains(IndexedKeyword($0.keyword).stem) }.compactMap {
            Double($0.value ?? "")
        }
        if !matrix.isEmpty, matrix.allSatisfy({ $0 == 0 }) {
            throw ImageError(.content, path: path, hdu: hdu, "the matrix of its WCS is zero")
        }
        let whole = Self.lines(header.cards)
        guard !whole.isEmpty else { throw ImageError(.content, path: path, hdu: hdu, "has no WCS") }
        do {
            // An image in a cube whose third axis wcslib cannot do without a table is placed on the sky all the same.
            if let handle = try? WCSHandle(cards: whole) {
                self.handle = handle
            } else {
                let celestial = Self.lines(header.cards.filter { Self.belongsToFirstAxes($0.keyword) })
                handle = try WCSHandle(cards: celestial.isEmpty ? whole : celestial)
            }
        } catch {
            throw ImageError(.content, path: path, hdu: hdu, error.reason)
        }
        distortionCards = header.cards.filter { Self.isDistortion($0.keyword) }
        frame =
            switch (handle.longitudeType.prefix(4), handle.radesys) {
            case ("GLON", _): .galactic
            case ("RA--", "FK5"): .fk5
            case ("RA--", let system) where system.hasPrefix("FK4"): .fk4
            case ("RA--", ""): handle.equinox.map { $0 < 1984 ? .fk4 : .fk5 } ?? .icrs
            case ("RA--", _): .icrs
            default: .other
            }
    }

    /// The cards that concern wcslib, 80 characters each, and END.
    private static func lines(_ all: [FITSHeader.Card]) -> [UInt8] {
        var cards: [UInt8] = []
        for card in all where concerns(card.keyword) || isPlateSolution(card.keyword) {
            guard let value = card.value else { continue }
            // The standard asks for at least eight characters between the quotes.
            let text =
                card.isText
                ? "'"
                    + value.replacing("'", with: "''").padding(
                        toLength: max(8, value.count), withPad: " ", startingAt: 0) + "'"
                : value
            let line = card.keyword.padding(toLength: 8, withPad: " ", startingAt: 0) + "= " + text
            let bytes = Array(line.utf8)
            guard card.keyword.utf8.count <= 8, bytes.count <= 80, bytes.allSatisfy({ (0x20...0x7e).contains($0) })
            else { continue }
            cards += bytes + [UInt8](repeating: 0x20, count: 80 - bytes.count)
        }
        return cards.isEmpty ? [] : cards + Array("END".utf8) + [UInt8](repeating: 0x20, count: 77)
    }

    /// Headers with SIP coefficients are taken at these, as astropy does: also where CTYPE forgets to say so, and where there
    /// is another description of the distortion.
    private static func preferringSIP(_ header: FITSHeader) -> FITSHeader {
        guard header["A_ORDER"] != nil, header["B_ORDER"] != nil else { return header }
        var header = header
        for keyword in ["CTYPE1", "CTYPE2"] {
            if var card = header[keyword], let type = card.value, type.hasSuffix("-TAN") {
                card.value = type + "-SIP"
                header.set(card)
            }
        }
        // SCAMP's PV cards beside SIP describe the same distortion once more.
        header.cards.removeAll { IndexedKeyword($0.keyword).stem == "PV" && isDistortion($0.keyword) }
        return header
    }

    /// Whether a keyword is about the first two axes, or about none in particular.
    private static func belongsToFirstAxes(_ keyword: String) -> Bool {
        if keyword == "WCSAXES" || keyword == "NAXIS" { return false }
        let part = IndexedKeyword(keyword)
        guard let first = part.first else { return true }
        if axisKeywords.contains(part.stem) { return first <= 2 }
        return first <= 2 && ((part.stem != "CD" && part.stem != "PC") || (part.second ?? 0) <= 2)
    }

    /// Keywords with one index, that of an axis.
    private static let axisKeywords: Set<Substring> = ["CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT", "CROTA", "NAXIS"]

    // MARK: - Transformations

    /// Right ascension and declination of a pixel position counted from 0; nil outside the projection, and for
    /// longitudes that are no right ascension.
    public func pixelToSky(x: Double, y: Double) -> (ra: Double, dec: Double)? {
        guard let (longitude, latitude) = handle.world(x: scale.x * x + offset.x + 1, y: scale.y * y + offset.y + 1)
        else { return nil }
        switch frame {
        case .other: return nil
        case .galactic: return Galactic.toICRS(longitude: longitude, latitude: latitude)
        case .icrs, .fk5, .fk4: return (Self.wrapped(longitude), latitude)
        }
    }

    /// The pixel position, counted from 0, of a sky position; nil where the projection has none.
    public func skyToPixel(ra: Double, dec: Double) -> (x: Double, y: Double)? {
        let world: (longitude: Double, latitude: Double)
        switch frame {
        case .other: return nil
        case .galactic: world = Galactic.fromICRS(ra: ra, dec: dec)
        case .icrs, .fk5, .fk4: world = (ra, dec)
        }
        guard let (x, y) = handle.pixel(longitude: world.longitude, latitude: world.latitude) else { return nil }
        return ((x - 1 - offset.x) / scale.x, (y - 1 - offset.y) / scale.y)
    }

    private static func wrapped(_ longitude: Double) -> Double {
        let turned = longitude.truncatingRemainder(dividingBy: 360)
        return turned < 0 ? turned + 360 : turned
    }

    // MARK: - Description

    /// Such as `TAN`, `TAN-SIP`, `TPV`.
    public var projection: String {
        String(handle.longitudeType.dropFirst(5).drop { $0 == "-" })
    }

    /// Degrees a pixel at the reference pixel, without distortion: [[dξ/dx, dξ/dy], [dη/dx, dη/dy]].
    private var matrix: (Double, Double, Double, Double) {
        let n = handle.axes
        let (i, j) = (handle.longitudeAxis, handle.latitudeAxis)
        return (
            handle.linear[i * n] * scale.x, handle.linear[i * n + 1] * scale.y, handle.linear[j * n] * scale.x,
            handle.linear[j * n + 1] * scale.y
        )
    }

    /// Arcseconds a pixel: the square root of a pixel's area at the reference pixel.
    public var pixelScaleArcsec: Double {
        let (a, b, c, d) = matrix
        return abs(a * d - b * c).squareRoot() * 3600
    }

    /// Direction of north at the reference pixel, in degrees from +y towards −x (east of north where east is left),
    /// in (−180, 180].
    public var rotationDegrees: Double {
        let (a, b, c, d) = matrix
        let determinant = a * d - b * c
        let (dx, dy) = (-b / determinant, a / determinant)
        return atan2(-dx, dy) * 180 / .pi
    }

    /// Whether east is to the left when north is up, as on the sky.
    public var isSkyParity: Bool {
        let (a, b, c, d) = matrix
        return a * d - b * c < 0
    }

    // MARK: - Crops, resizes, flips

    /// The WCS of a cut-out whose pixel (0, 0) is pixel (x, y) here.
    public func cropped(x: Double, y: Double) -> WCS {
        var result = self
        result.offset.x += scale.x * x
        result.offset.y += scale.y * y
        return result
    }

    /// The WCS after resizing by a factor about the outer edge of the first pixel: new width = width · factor.
    public func resized(factorX: Double, factorY: Double) -> WCS {
        // Old position = (new + ½) / factor − ½.
        var result = cropped(x: 0.5 / factorX - 0.5, y: 0.5 / factorY - 0.5)
        result.scale.x /= factorX
        result.scale.y /= factorY
        return result
    }

    /// The WCS after the order of the rows was turned round.
    public func flippedVertically(height: Int) -> WCS {
        var result = cropped(x: 0, y: Double(height - 1))
        result.scale.y = -result.scale.y
        return result
    }

    /// The WCS after the order of the columns was turned round.
    public func flippedHorizontally(width: Int) -> WCS {
        var result = cropped(x: Double(width - 1), y: 0)
        result.scale.x = -result.scale.x
        return result
    }

    // MARK: - Header

    /// The cards that describe this WCS, with CRPIX counted from 1 as FITS asks.
    public func headerCards() -> [FITSHeader.Card] {
        func number(_ keyword: String, _ value: Double, _ comment: String? = nil) -> FITSHeader.Card {
            .init(keyword, value: Self.spell(value), comment: comment)
        }
        func text(_ keyword: String, _ value: String) -> FITSHeader.Card {
            .init(keyword, value: value, isText: true)
        }
        let n = handle.axes
        let world = [handle.longitudeAxis, handle.latitudeAxis].sorted()
        var cards: [FITSHeader.Card] = [.init("WCSAXES", value: "2")]
        for (number, axis) in world.enumerated() {
            let type = axis == handle.longitudeAxis ? handle.longitudeType : handle.latitudeType
            cards.append(text("CTYPE\(number + 1)", type))
            cards.append(text("CUNIT\(number + 1)", "deg"))
        }
        for (index, axis) in world.enumerated() {
            cards.append(number("CRVAL\(index + 1)", handle.referenceValue[axis]))
        }
        cards.append(number("CRPIX1", (handle.referencePixel[0] - 1 - offset.x) / scale.x + 1, "counted from 1"))
        cards.append(number("CRPIX2", (handle.referencePixel[1] - 1 - offset.y) / scale.y + 1))
        for (index, axis) in world.enumerated() {
            cards.append(number("CD\(index + 1)_1", handle.linear[axis * n] * scale.x))
            cards.append(number("CD\(index + 1)_2", handle.linear[axis * n + 1] * scale.y))
        }
        cards.append(number("LONPOLE", handle.longitudeOfPole))
        cards.append(number("LATPOLE", handle.latitudeOfPole))
        if !handle.radesys.isEmpty { cards.append(text("RADESYS", handle.radesys)) }
        if let equinox = handle.equinox { cards.append(number("EQUINOX", equinox)) }
        cards += distortionCards.map(rescaled)
        return cards
    }

    /// Shortest text that reads back to the same number, with a decimal point as FITS asks of real values.
    private static func spell(_ value: Double) -> String {
        let text = String(describing: value).uppercased()
        return text.contains(".") ? text : text.replacing("E", with: ".0E")
    }

    /// A SIP coefficient for the present pixels: u' = u + Σ A_pq uᵖ v^q, u in original pixels = scale.x · new ones. PV
    /// coefficients act on degrees and stay.
    private func rescaled(_ card: FITSHeader.Card) -> FITSHeader.Card {
        guard let (letter, p, q) = Self.sipPowers(card.keyword), let value = card.value.flatMap(Double.init) else {
            return card
        }
        let own = letter == "A" ? scale.x : scale.y
        let factor = pow(scale.x, Double(p)) * pow(scale.y, Double(q)) / own
        var card = card
        card.value = Self.spell(value * factor)
        return card
    }

    private static func sipPowers(_ keyword: String) -> (letter: Character, p: Int, q: Int)? {
        let parts = keyword.split(separator: "_")
        guard parts.count == 3, ["A", "B", "AP", "BP"].contains(parts[0]), let p = Int(parts[1]), let q = Int(parts[2])
        else { return nil }
        return (parts[0].first!, p, q)
    }

    private static func isDistortion(_ keyword: String) -> Bool {
        if sipPowers(keyword) != nil || ["A_ORDER", "B_ORDER", "AP_ORDER", "BP_ORDER"].contains(keyword) {
            return true
        }
        let part = IndexedKeyword(keyword)
        return part.stem == "PV" && part.isPair && (part.first == 1 || part.first == 2)
    }

    /// Keywords of the Digitized Sky Survey's plate solution.
    private static func isPlateSolution(_ keyword: String) -> Bool {
        let part = IndexedKeyword(keyword)
        if ["AMDX", "AMDY", "PPO", "CNPIX"].contains(part.stem) { return part.first != nil && !part.isPair }
        return ["PLTRAH", "PLTRAM", "PLTRAS", "PLTDECSN", "PLTDECD", "PLTDECM", "PLTDECS", "XPIXELSZ", "YPIXELSZ"]
            .contains(keyword)
    }

    private static let plainKeywords: Set<String> = [
        "WCSAXES", "NAXIS", "LONPOLE", "LATPOLE", "RADESYS", "RADECSYS", "EQUINOX", "EPOCH", "MJD-OBS", "DATE-OBS",
    ]

    /// Keywords that describe coordinates; the rest of a header does not concern wcslib.
    static func concerns(_ keyword: String) -> Bool {
        if plainKeywords.contains(keyword) || isDistortion(keyword) { return true }
        let part = IndexedKeyword(keyword)
        switch part.stem {
        case "CD", "PC": return part.isPair || keyword.utf8.count == 8  // CD1_2, or the old CD001002
        case "PV", "PS": return part.isPair
        default: return part.hasOneDigit && axisKeywords.contains(part.stem)
        }
    }
}

/// Galactic coordinates and ICRS, by the rotation between astropy's frames: the pole of Reid & Brunthaler (2004, ApJ 616, 872)
/// in FK5, and the frame tie of FK5 and ICRS.
private enum Galactic {
    private static let rows: [[Double]] = [
        [-0.05487565771259163, -0.8734370519556159, -0.48383507361671546],
        [0.4941094371927268, -0.44482972122329517, 0.7469821839866676],
        [-0.8676661375596576, -0.19807633727300059, 0.45598381368730156],
    ]

    static func toICRS(longitude: Double, latitude: Double) -> (ra: Double, dec: Double) {
        let v = vector(longitude, latitude)
        let (lon, lat) = angles((0..<3).map { column in (0..<3).reduce(0.0) { $0 + rows[$1][column] * v[$1] } })
        return (lon, lat)
    }

    static func fromICRS(ra: Double, dec: Double) -> (longitude: Double, latitude: Double) {
        let v = vector(ra, dec)
        let (lon, lat) = angles(rows.map { row in zip(row, v).reduce(0.0) { $0 + $1.0 * $1.1 } })
        return (lon, lat)
    }

    private static func vector(_ longitude: Double, _ latitude: Double) -> [Double] {
        let (l, b) = (longitude * .pi / 180, latitude * .pi / 180)
        return [cos(b) * cos(l), cos(b) * sin(l), sin(b)]
    }

    private static func angles(_ v: [Double]) -> (Double, Double) {
        let longitude = atan2(v[1], v[0]) * 180 / .pi
        return (
            longitude < 0 ? longitude + 360 : longitude,
            atan2(v[2], (v[0] * v[0] + v[1] * v[1]).squareRoot()) * 180 / .pi
        )
    }
}
