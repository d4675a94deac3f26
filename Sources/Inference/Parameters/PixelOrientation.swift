public import AstroIO

/// How the pixel grid lies on the sky.
public struct PixelOrientation: Sendable, Equatable {
    private let sign: Double
    private let north: Double

    /// - Parameter image: without WCS, up is taken as north and left as east, as the picture is looked at: rows of PNG and JPEG go
    ///   down.
    public init(_ image: Image) {
        if let wcs = image.wcs {
            (north, sign) = (wcs.rotationDegrees, wcs.isSkyParity ? 1 : -1)
        } else {
            (north, sign) = (0, 1)
        }
        isTopDown = image.rowOrder == .topDown && image.wcs == nil
    }

    private let isTopDown: Bool

    /// The position angle, degrees from north through east in 0 ..< 180, of a direction on the pixel grid, degrees from +x towards +y.
    public func positionAngle(_ angle: Double) -> Double {
        let turned = (sign * ((isTopDown ? -angle : angle) - 90 - north)).truncatingRemainder(dividingBy: 180)
        return turned < 0 ? turned + 180 : turned
    }
}
