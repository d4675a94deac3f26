internal import CWCSLIB
import Synchronization

/// Owns wcslib's description of one coordinate system.
///
/// wcslib's transformations keep scratch values inside the description, so every call holds the lock; that makes the
/// handle Sendable. Parsing holds a lock of its own: wcslib does not promise that its header parser is re-entrant.
final class WCSHandle: @unchecked Sendable {
    private let lock = Mutex(())
    private var systems: UnsafeMutablePointer<wcsprm>?
    private var count: Int32 = 0

    /// Number of world axes; pixel axes are as many.
    let axes: Int
    /// Index of the longitude and latitude axes, counted from 0.
    let longitudeAxis: Int
    let latitudeAxis: Int
    /// CTYPE of the two, such as `RA---TAN-SIP`.
    let longitudeType: String
    let latitudeType: String
    /// CRPIX of all axes, counted from 1.
    let referencePixel: [Double]
    /// CRVAL of all axes, in the units of `units`.
    let referenceValue: [Double]
    /// Degrees a pixel: CDELTi · PCi_j, axes × axes.
    let linear: [Double]
    let longitudeOfPole: Double
    let latitudeOfPole: Double
    let radesys: String
    let equinox: Double?

    private static let parsing = Mutex(())
    /// WCSHDR_all: accept all the extensions that wcslib knows.
    private static let acceptAll: Int32 = 0x000F_FFFF

    /// Why a header gives no celestial coordinates.
    struct Failure: Error {
        var reason: String
    }

    /// Parses 80-character cards.
    init(cards: [UInt8]) throws(Failure) {
        precondition(cards.count % 80 == 0, "[WCS] expected cards of 80 characters")
        var text = cards.map { CChar(bitPattern: $0) }
        text.append(0)
        var rejected: Int32 = 0
        var systems: UnsafeMutablePointer<wcsprm>?
        var count: Int32 = 0
        let status = WCSHandle.parsing.withLock { _ in
            wcspih(&text, Int32(cards.count / 80), WCSHandle.acceptAll, 0, &rejected, &count, &systems)
        }
        guard status == 0, count > 0, let first = systems else {
            if systems != nil { wcsvfree(&count, &systems) }
            throw Failure(reason: status == 0 ? "has no WCS" : "its WCS cannot be parsed (wcslib status \(status))")
        }
        var owned: UnsafeMutablePointer<wcsprm>? = systems
        func give(up reason: String) -> Failure {
            wcsvfree(&count, &owned)
            return Failure(reason: reason)
        }
        let naxis = Int(first.pointee.naxis)
        guard naxis >= 2, naxis <= 9 else { throw give(up: "its WCS has \(naxis) axes") }
        func string<Characters>(_ characters: Characters) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        // wcslib turns TPV into TAN with a distortion of its own; a header that is written again needs the old name.
        let given = (0..<naxis).map { axis in first.pointee.ctype.map { string($0[axis]) } ?? "" }
        var fixes = [Int32](repeating: 0, count: 16)
        let set = WCSHandle.parsing.withLock { _ in
            _ = wcsfix(7, nil, first, &fixes)
            return wcsset(first)
        }
        guard set == 0 else { throw give(up: "its WCS is not valid: \(WCSHandle.meaning(ofSet: set))") }
        let (lng, lat) = (Int(first.pointee.lng), Int(first.pointee.lat))
        guard lng >= 0, lat >= 0, let types = first.pointee.ctype, let lin = first.pointee.lin.pc else {
            throw give(up: "its WCS has no celestial axes")
        }
        axes = naxis
        longitudeAxis = lng
        latitudeAxis = lat
        longitudeType = given[lng].hasSuffix("TPV") ? given[lng] : string(types[lng])
        latitudeType = given[lat].hasSuffix("TPV") ? given[lat] : string(types[lat])
        referencePixel = (0..<naxis).map { first.pointee.crpix[$0] }
        referenceValue = (0..<naxis).map { first.pointee.crval[$0] }
        linear = (0..<naxis * naxis).map { first.pointee.lin.cdelt[$0 / naxis] * lin[$0] }
        longitudeOfPole = first.pointee.lonpole
        latitudeOfPole = first.pointee.latpole
        radesys = string(first.pointee.radesys).filter { $0 != " " }
        equinox = first.pointee.equinox.isFinite && first.pointee.equinox < 1e10 ? first.pointee.equinox : nil
        self.systems = owned
        self.count = count
    }

    deinit {
        wcsvfree(&count, &systems)
    }

    /// World coordinates (longitude, latitude in degrees) of 1-based pixel positions; nil where there are none.
    func world(x: Double, y: Double) -> (longitude: Double, latitude: Double)? {
        var pixel = referencePixel
        pixel[0] = x
        pixel[1] = y
        return lock.withLock { _ in
            var image = [Double](repeating: 0, count: axes)
            var world = image
            var (phi, theta, status) = (0.0, 0.0, Int32(0))
            guard wcsp2s(systems, 1, Int32(axes), pixel, &image, &phi, &theta, &world, &status) == 0, status == 0,
                world[longitudeAxis].isFinite, world[latitudeAxis].isFinite
            else { return nil }
            return (world[longitudeAxis], world[latitudeAxis])
        }
    }

    /// The 1-based pixel position of world coordinates; nil where there is none.
    func pixel(longitude: Double, latitude: Double) -> (x: Double, y: Double)? {
        var world = referenceValue
        world[longitudeAxis] = longitude
        world[latitudeAxis] = latitude
        return lock.withLock { _ in
            var image = [Double](repeating: 0, count: axes)
            var pixel = image
            var (phi, theta, status) = (0.0, 0.0, Int32(0))
            guard wcss2p(systems, 1, Int32(axes), world, &phi, &theta, &image, &pixel, &status) == 0, status == 0,
                pixel[0].isFinite, pixel[1].isFinite
            else { return nil }
            return (pixel[0], pixel[1])
        }
    }

    private static func meaning(ofSet status: Int32) -> String {
        switch status {
        case 2: "out of memory"
        case 3: "the linear transformation is singular"
        case 4: "inconsistent or unknown axis types"
        case 5, 6, 7: "invalid or inconsistent parameters"
        default: "wcslib status \(status)"
        }
    }
}
