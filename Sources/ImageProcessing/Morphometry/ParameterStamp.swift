import Foundation

/// What the network for galaxy parameters sees of a source in one band: four planes of 64 × 64 pixels and a few numbers.
///
/// Sources that are too large are binned by a whole number of pixels, so all lengths are in binned pixels and the network need not
/// know the pixel scale. The planes are arcsinh(detection / σ), arcsinh(band / σ), arcsinh(band / mean brightness of the source), and
/// 1 where pixels are masked, belong to others or lie outside of the image. The numbers are the growth curve, signal to noise, seeing,
/// second moments and the share of photon noise.
package struct ParameterStamp: Sendable {
    package static let side = 64
    package static let channels = 4
    /// Radii of the growth curve, binned pixels.
    package static let radii: [Double] = [1.5, 2.5, 4, 6, 9, 13, 18, 24, 31]
    /// Where the two numbers stand that turn with the image: the ellipse's cosine and sine of twice the angle.
    package static let turningScalars = (cosine: 0, sine: 1)
    package static let scalarCount = radii.count + 15

    /// channels × side × side.
    package let pixels: [Float]
    package let scalars: [Float]
    /// Light inside ``referenceRadius`` in the image's unit: predicted magnitudes are relative to it.
    package let referenceFlux: Double
    /// Image pixels.
    package let referenceRadius: Double
    /// Signal to noise of the reference flux, from the noise of the sky.
    package let signalToNoise: Double
    /// Image pixels in a binned one, along a side.
    package let binning: Int
    /// Centre of light, pixels of the image.
    package let x: Double
    package let y: Double
    /// The segment reaches the border of the image.
    package let touchesEdge: Bool

    /// nil where the label has no pixel, or the noise or the seeing is no positive number.
    ///
    /// - Parameters:
    ///   - band: light without sky.
    ///   - detection: light of all bands together, in units of its sky's standard deviation.
    ///   - skySigma: of a pixel of the band.
    ///   - sourceNoise: mean variance within the segment over that of the sky; 1 where not known.
    ///   - fwhm: seeing in image pixels.
    package init?(
        band: Plane<Double>, detection: Plane<Double>, skySigma: Double, sourceNoise: Double,
        segmentation: Plane<Int32>, label: Int32, masked: Plane<Bool>?, fwhm: Double
    ) {
        guard skySigma > 0, skySigma.isFinite, fwhm > 0, fwhm.isFinite,
            let segment = Segment(detection, segmentation, label)
        else { return nil }
        let binning = max(1, Int((2 * segment.semiMajor / 31).rounded(.up)))
        let binned = BinnedStamp(
            band: band, detection: detection, segmentation: segmentation, label: label, masked: masked,
            x: segment.x, y: segment.y, binning: binning)
        let noise = skySigma / Double(binning)
        let radius = min(max(1.6 * (segment.area / .pi).squareRoot() / Double(binning), 4), 31)
        let curve = GrowthCurve(binned, radii: Self.radii + [radius])
        let pixelsInside = curve.areas.last!
        let limit = noise * pixelsInside.squareRoot()
        // A source without positive light in this band: the reference is one standard deviation, and the network is told.
        let flux = max(curve.fluxes.last!, limit)
        let brightness = flux / (Double.pi * radius * radius)

        let count = Self.side * Self.side
        var pixels = [Float](repeating: 0, count: Self.channels * count)
        for index in 0..<count {
            let value = binned.band[index]
            pixels[index] = Float(asinh(binned.detection[index] * Double(binning)) / 3)
            pixels[count + index] = Float(asinh(value / noise) / 3)
            pixels[2 * count + index] = Float(asinh(value / brightness) / 2)
            pixels[3 * count + index] = binned.isMasked[index] ? 1 : 0
        }
        self.pixels = pixels
        let detectionCurve = GrowthCurve(binned, radii: [radius], ofDetection: true)
        let detectionNoise = pixelsInside.squareRoot() / Double(binning)
        let size = (1 - segment.axisRatio) / (1 + segment.axisRatio)
        let scale = Double(binning)
        var numbers = [size * cos(2 * segment.angle), size * sin(2 * segment.angle)]
        numbers += curve.fluxes.dropLast().map { log(max($0, 0.03 * flux) / flux) }
        numbers += [
            log(flux / limit) / 3, log(flux / noise) / 3, curve.fluxes.last! / limit < 1 ? 1 : 0,
            log(max(curve.peak / noise, 0.1)) / 3, log(fwhm / scale), log(radius) - 2,
            log(max(segment.semiMajorMoment / scale, 0.2)) - 1, log(max(segment.semiMinorMoment / scale, 0.2)) - 1,
            segment.axisRatio, log(scale), curve.maskedShare, log(max(sourceNoise, 1)),
            log(max(detectionCurve.fluxes[0] / detectionNoise, 0.3)) / 3,
        ]
        precondition(numbers.count == Self.scalarCount, "[ParameterStamp] expected \(Self.scalarCount) numbers")
        scalars = numbers.map { $0.isFinite ? Float(min(max($0, -8), 8)) : 0 }
        referenceFlux = flux
        referenceRadius = radius * scale
        signalToNoise = flux / limit
        self.binning = binning
        (x, y, touchesEdge) = (segment.x, segment.y, segment.touchesEdge)
    }
}

/// Place and ellipse of a source's segment.
private struct Segment {
    var x = 0.0
    var y = 0.0
    var area = 0.0
    /// Semi-major axis of the ellipse with the segment's area and the axis ratio of its light.
    var semiMajor = 0.0
    var semiMajorMoment = 0.0
    var semiMinorMoment = 0.0
    var axisRatio = 1.0
    var angle = 0.0
    var touchesEdge = false

    init?(_ light: Plane<Double>, _ labels: Plane<Int32>, _ label: Int32) {
        var own: [(x: Double, y: Double, light: Double)] = []
        for y in 0..<labels.height {
            for x in 0..<labels.width where labels[x, y] == label {
                let value = light[x, y]
                own.append((Double(x), Double(y), value.isFinite ? max(value, 1e-3) : 1e-3))
                if x == 0 || y == 0 || x == labels.width - 1 || y == labels.height - 1 { touchesEdge = true }
            }
        }
        guard !own.isEmpty else { return nil }
        let sum = own.reduce(0) { $0 + $1.light }
        let (cx, cy) = (own.reduce(0) { $0 + $1.x * $1.light } / sum, own.reduce(0) { $0 + $1.y * $1.light } / sum)
        (x, y, area) = (cx, cy, Double(own.count))
        var (xx, yy, xy) = (1.0 / 12, 1.0 / 12, 0.0)
        for pixel in own {
            let (dx, dy) = (pixel.x - cx, pixel.y - cy)
            xx += pixel.light * dx * dx / sum
            yy += pixel.light * dy * dy / sum
            xy += pixel.light * dx * dy / sum
        }
        let (half, difference) = ((xx + yy) / 2, ((xx - yy) * (xx - yy) / 4 + xy * xy).squareRoot())
        semiMajorMoment = (half + difference).squareRoot()
        semiMinorMoment = max(half - difference, 1.0 / 12).squareRoot()
        axisRatio = semiMinorMoment / semiMajorMoment
        angle = 0.5 * atan2(2 * xy, xx - yy)
        semiMajor = (area / (.pi * max(axisRatio, 0.1))).squareRoot()
    }
}

/// Light of a source and its surroundings on 64 × 64 pixels, each the mean of a square of image pixels.
private struct BinnedStamp {
    var band: [Double]
    var detection: [Double]
    var isMasked: [Bool]
    /// Place of the source's centre in the stamp.
    var x: Double
    var y: Double

    init(
        band: Plane<Double>, detection: Plane<Double>, segmentation: Plane<Int32>, label: Int32,
        masked: Plane<Bool>?, x: Double, y: Double, binning: Int
    ) {
        let side = ParameterStamp.side
        let reach = Double(side * binning) / 2
        let (left, bottom) = (Int((x + 0.5 - reach).rounded()), Int((y + 0.5 - reach).rounded()))
        self.x = (x + 0.5 - Double(left)) / Double(binning) - 0.5
        self.y = (y + 0.5 - Double(bottom)) / Double(binning) - 0.5
        self.band = [Double](repeating: 0, count: side * side)
        self.detection = self.band
        isMasked = [Bool](repeating: false, count: side * side)
        for row in 0..<side {
            for column in 0..<side {
                var (light, seen, valid) = (0.0, 0.0, 0)
                for v in (bottom + row * binning)..<(bottom + (row + 1) * binning) {
                    for u in (left + column * binning)..<(left + (column + 1) * binning) {
                        guard u >= 0, v >= 0, u < band.width, v < band.height else { continue }
                        let index = v * band.width + u
                        let owner = segmentation.values[index]
                        guard owner == 0 || owner == label, !(masked?.values[index] ?? false),
                            band.values[index].isFinite, detection.values[index].isFinite
                        else { continue }
                        light += band.values[index]
                        seen += detection.values[index]
                        valid += 1
                    }
                }
                let index = row * side + column
                if 2 * valid > binning * binning {
                    self.band[index] = light / Double(valid)
                    self.detection[index] = seen / Double(valid)
                } else {
                    isMasked[index] = true
                }
            }
        }
    }
}

/// Light inside circles around the source; masked pixels have the light of the pixel opposite to them.
private struct GrowthCurve {
    var fluxes: [Double]
    /// Pixels inside.
    var areas: [Double]
    var peak = 0.0
    /// Of the pixels inside the largest circle.
    var maskedShare = 0.0

    init(_ stamp: BinnedStamp, radii: [Double], ofDetection: Bool = false) {
        fluxes = [Double](repeating: 0, count: radii.count)
        areas = fluxes
        let side = ParameterStamp.side
        let light = ofDetection ? stamp.detection : stamp.band
        let (turnedX, turnedY) = (Int((2 * stamp.x).rounded()), Int((2 * stamp.y).rounded()))
        let last = radii[radii.count - 1]
        var (inside, hidden) = (0.0, 0.0)
        for row in 0..<side {
            for column in 0..<side {
                let index = row * side + column
                let distance = hypot(Double(column) - stamp.x, Double(row) - stamp.y)
                var value = light[index]
                if stamp.isMasked[index] {
                    let (u, v) = (turnedX - column, turnedY - row)
                    value = u >= 0 && v >= 0 && u < side && v < side ? light[v * side + u] : 0
                }
                if distance < 2.5 { peak = max(peak, value) }
                for (number, radius) in radii.enumerated() where distance < radius + 0.5 {
                    // A pixel on the rim counts in part.
                    let share = min(1, radius + 0.5 - distance)
                    fluxes[number] += share * value
                    areas[number] += share
                }
                if distance < last {
                    inside += 1
                    hidden += stamp.isMasked[index] ? 1 : 0
                }
            }
        }
        maskedShare = inside > 0 ? hidden / inside : 0
    }
}
