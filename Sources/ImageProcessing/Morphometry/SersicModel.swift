import Foundation

/// An elliptical Sérsic profile on pixels, I = A exp(−b ((R / R_e)^(1/n) − 1)) (Sérsic 1963; Graham & Driver 2005, PASA 22, 118),
/// with derivatives.
///
/// The shape is (1 − q) / (1 + q) times cosine and sine of twice the angle, and the radius the circularised one, R_e √q: round
/// sources then have no undefined angle, and radius and shape hardly depend on each other.
struct SersicModel {
    var x = 0.0
    var y = 0.0
    /// Logarithm of the brightness at R_e.
    var logAmplitude = 0.0
    /// Logarithm of R_e √q, pixels.
    var logRadius = 0.0
    var logIndex = 0.0
    var shape1 = 0.0
    var shape2 = 0.0

    static let parameterCount = 7

    var parameters: [Double] {
        get { [x, y, logAmplitude, logRadius, logIndex, shape1, shape2] }
        set {
            (x, y, logAmplitude, logRadius) = (newValue[0], newValue[1], newValue[2], newValue[3])
            (logIndex, shape1, shape2) = (newValue[4], newValue[5], newValue[6])
        }
    }

    init(parameters: [Double]) { self.parameters = parameters }

    /// - Parameters:
    ///   - radius: semi-major axis that holds half of the light, pixels.
    ///   - angle: of the major axis, radians from +x towards +y.
    init(x: Double, y: Double, amplitude: Double, radius: Double, index: Double, axisRatio: Double, angle: Double) {
        (self.x, self.y) = (x, y)
        logAmplitude = log(amplitude)
        logRadius = log(radius * axisRatio.squareRoot())
        logIndex = log(index)
        let size = (1 - axisRatio) / (1 + axisRatio)
        (shape1, shape2) = (size * cos(2 * angle), size * sin(2 * angle))
    }

    var index: Double { exp(logIndex) }
    var amplitude: Double { exp(logAmplitude) }
    var axisRatio: Double {
        let size = hypot(shape1, shape2)
        return (1 - size) / (1 + size)
    }
    /// Semi-major axis that holds half of the light, pixels.
    var radius: Double { exp(logRadius) / axisRatio.squareRoot() }
    /// Radians from +x towards +y.
    var angle: Double { 0.5 * atan2(shape2, shape1) }
    /// All the light (Graham & Driver 2005, eq. 4).
    var flux: Double {
        let (n, b) = (index, Self.b(index).value)
        return 2 * .pi * n * amplitude * exp(b + lgamma(2 * n) - 2 * n * log(b) + 2 * logRadius)
    }

    /// b(n), such that half of the light is inside R_e, and its derivative: the series of Ciotti & Bertin (1999, A&A 352, 447),
    /// and below 0.36 the polynomial of MacArthur et al. (2003, ApJ 582, 689).
    static func b(_ n: Double) -> (value: Double, derivative: Double) {
        guard n > 0.36 else {
            return (
                0.01945 + n * (-0.8902 + n * (10.95 + n * (-19.67 + n * 13.43))),
                -0.8902 + n * (21.90 + n * (-59.01 + n * 53.72))
            )
        }
        let (c1, c2, c3, c4) = (4.0 / 405, 46.0 / 25515, 131.0 / 1_148_175, -2_194_697.0 / 30_690_717_750)
        let i = 1 / n
        return (
            2 * n - 1.0 / 3 + i * (c1 + i * (c2 + i * (c3 + i * c4))),
            2 - i * i * (c1 + i * (2 * c2 + i * (3 * c3 + i * 4 * c4)))
        )
    }

    /// Brightness, and its derivatives with respect to the parameters, of the pixels of a width × height image.
    ///
    /// - Parameters:
    ///   - isIntegrated: pixels near the centre are means over up to 11 × 11 places in them; otherwise every pixel has the value at
    ///     its middle, as in astropy's `Sersic2D`.
    ///   - planes: eight planes one after another, the brightness first.
    func draw(
        width: Int, height: Int, isIntegrated: Bool, into planes: UnsafeMutableBufferPointer<Float>
    ) {
        let count = width * height
        let point = Point(self)
        var values = SIMD8<Double>.zero
        for row in 0..<height {
            for column in 0..<width {
                let (dx, dy) = (Double(column) - x, Double(row) - y)
                let distance = max(abs(dx), abs(dy))
                let samples = !isIntegrated || distance > 12 ? 1 : distance < 1.5 ? 11 : distance < 5 ? 5 : 3
                if samples == 1 {
                    values = point.evaluate(dx, dy)
                } else {
                    values = .zero
                    let step = 1 / Double(samples)
                    for j in 0..<samples {
                        for i in 0..<samples {
                            values += point.evaluate(
                                dx + (Double(i) + 0.5) * step - 0.5, dy + (Double(j) + 0.5) * step - 0.5)
                        }
                    }
                    values *= step * step
                }
                let index = row * width + column
                for plane in 0..<8 { planes[plane * count + index] = Float(values[plane]) }
            }
        }
    }

    /// What all pixels have in common.
    private struct Point {
        let amplitude, b, slope, n, scale, g1, g2, squared, inverse: Double

        init(_ model: SersicModel) {
            n = model.index
            (b, slope) = SersicModel.b(n)
            amplitude = model.amplitude
            (g1, g2) = (model.shape1, model.shape2)
            squared = g1 * g1 + g2 * g2
            inverse = 1 / (1 - squared)
            scale = exp(-2 * model.logRadius)
        }

        /// Brightness and derivatives at a distance from the centre.
        @inline(__always)
        func evaluate(_ dx: Double, _ dy: Double) -> SIMD8<Double> {
            let (xx, yy, xy) = (dx * dx, dy * dy, dx * dy)
            let q = max(((1 + squared) * (xx + yy) - 2 * g1 * (xx - yy) - 4 * g2 * xy) * inverse, 1e-9)
            let u = q * scale
            let logU = log(u)
            let t = exp(logU / (2 * n))
            let value = amplitude * exp(-b * (t - 1))
            // d ln I / d ln Q
            let steepness = -b * t / (2 * n)
            let outer = value * steepness / q
            return SIMD8(
                value,
                -outer * (2 * (1 + squared) * dx - 4 * g1 * dx - 4 * g2 * dy) * inverse,
                -outer * (2 * (1 + squared) * dy + 4 * g1 * dy - 4 * g2 * dx) * inverse,
                value,
                -2 * value * steepness,
                value * (-slope * n * (t - 1) + b * t * logU / (2 * n)),
                outer * (2 * g1 * (xx + yy) - 2 * (xx - yy) + 2 * g1 * q) * inverse,
                outer * (2 * g2 * (xx + yy) - 4 * xy + 2 * g2 * q) * inverse)
        }
    }
}
