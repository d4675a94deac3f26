/// One source of light of a simulated scene: a shape of total flux 1, where it stands, and its flux in every band.
///
/// Lengths are arcseconds. Shapes with an axis ratio are circular ones seen at an angle; radii are those along the major axis.
public struct LightComponent: Sendable, Equatable, Codable {
    public enum Shape: Sendable, Equatable, Codable {
        case sersic(index: Double, halfLightRadius: Double)
        /// Logarithmic spiral arms whose mean over the circle is an exponential disc: blobs of light where
        /// cos(m (θ − ln R / tan pitch)) is near 1.
        case arms(halfLightRadius: Double, count: Int, pitchDegrees: Double, phase: Double)
        /// A bar in the disc: even along its length, with soft ends, Gaussian across. The angle is measured in the plane of
        /// the disc, from the major axis.
        case bar(halfLength: Double, width: Double, angleDegrees: Double)
        /// A Gaussian ridge at a radius.
        case ring(radius: Double, width: Double)
        /// A part of such a ridge, of Gaussian extent, towards the direction of the position angle.
        case arc(radius: Double, width: Double, extentDegrees: Double)
        /// A tail that leaves the position along its angle and bends with a radius of curvature (to the left where it is
        /// positive), fading towards its length and growing wider.
        case tail(length: Double, width: Double, curvature: Double)
        /// An exponential disc seen edge on, with vertical profile sech² (van der Kruit & Searle 1981, A&A 95, 105) and a lane of
        /// dust of the given optical depth through its centre.
        case edgeOn(scaleLength: Double, scaleHeight: Double, dustDepth: Double, dustOffset: Double)
        /// A Sérsic source behind a singular isothermal ellipsoid (Kormann et al. 1994, A&A 284, 285), whose axis ratio and angle
        /// are the component's; the flux is that of all images together.
        case lensed(einsteinRadius: Double, sourceX: Double, sourceY: Double, index: Double, halfLightRadius: Double)
        case point
        /// A straight line of even brightness.
        case streak(length: Double, width: Double)
    }

    public var shape: Shape
    /// Offset from the stamp's centre to the right (west) and up (north).
    public var x: Double
    public var y: Double
    /// Minor over major axis.
    public var axisRatio: Double
    /// Of the major axis, degrees from north through east.
    public var positionAngle: Double
    /// Nanomaggies, one number a band of the simulator.
    public var flux: [Double]

    public init(
        _ shape: Shape, x: Double = 0, y: Double = 0, axisRatio: Double = 1, positionAngle: Double = 0, flux: [Double]
    ) {
        precondition(axisRatio > 0 && axisRatio <= 1, "[LightComponent] expected an axis ratio of 0 … 1")
        self.shape = shape
        self.x = x
        self.y = y
        self.axisRatio = axisRatio
        self.positionAngle = positionAngle
        self.flux = flux
    }
}
