import AstroIO
import Foundation
import ImageProcessing

/// An image made ready to be measured: bands as planes without sky, with their noise, and all of them together.
struct PreparedImage {
    let bands: [String]
    private(set) var light: [Plane<Double>] = []
    /// Standard deviation of each pixel.
    private(set) var sigma: [Plane<Double>] = []
    /// Standard deviation of the sky, a number a band.
    private(set) var skySigma: [Double] = []
    /// All bands, weighted by their noise, in units of the noise of the sum.
    let detection: Plane<Double>
    /// Masked in any band.
    let masked: Plane<Bool>
    private(set) var flags: MeasurementFlags = []

    /// - Throws: `MeasurementError` where every pixel is masked or no number, or there is no noise to compare with.
    init(_ image: Image, path: String, subtractsSky: Bool) throws(MeasurementError) {
        let (width, height) = (image.width, image.height)
        var masked = Plane(width: width, height: height, filledWith: false)
        for index in image.pixels.indices {
            let hidden = image.mask.map { !$0[index].isEmpty && $0[index] != .interpolated } ?? false
            if hidden || !image.pixels[index].isFinite { masked.values[index % image.planeSize] = true }
        }
        self.masked = masked
        let valid = masked.values.filter { !$0 }.count
        guard valid >= 64 else {
            throw MeasurementError(path: path, "all but \(valid) of its pixels are masked or no number")
        }
        if image.sampleMaximum != nil { flags.insert(.lossy) }
        if image.wcs == nil { flags.insert(.noSky) }
        var names = image.bands
        var planes: [[Float]] = names.indices.map {
            Array(image.pixels[($0 * image.planeSize)..<(($0 + 1) * image.planeSize)])
        }
        if image.sampleMaximum != nil, planes.count == 3 {
            // A picture's colours are not calibrated: their mean is measured.
            planes = [planes[0].indices.map { (planes[0][$0] + planes[1][$0] + planes[2][$0]) / 3 }]
            names = ["intensity"]
        }
        bands = names
        for (band, plane) in planes.enumerated() {
            let border = Self.border(plane, masked)
            guard let sky = SkyEstimate(border.isEmpty ? plane : border) else {
                throw MeasurementError(path: path, "band \(names[band]) has no valid pixel at its border")
            }
            var values = plane.map { Double($0) }
            let isPicture = image.sampleMaximum != nil
            if subtractsSky, isPicture || abs(sky.level) > sky.noise, sky.level != 0 {
                for index in values.indices { values[index] -= Double(sky.level) }
                flags.insert(.subtractedSky)
            }
            let variance =
                isPicture
                ? nil : image.variance.map { $0[(band * image.planeSize)..<((band + 1) * image.planeSize)] }
            let (noise, map) = Self.noise(variance.map(Array.init), sky, masked)
            if map == nil { flags.insert(.estimatedNoise) }
            guard noise > 0, noise.isFinite else {
                throw MeasurementError(path: path, "band \(names[band]) has no noise: its sky is constant")
            }
            light.append(Plane(width: width, height: height, values: values))
            skySigma.append(noise)
            sigma.append(
                Plane(
                    width: width, height: height,
                    values: map ?? [Double](repeating: noise, count: image.planeSize)))
        }
        var sum = [Double](repeating: 0, count: image.planeSize)
        let weight = skySigma.reduce(0) { $0 + 1 / ($1 * $1) }.squareRoot()
        for (plane, noise) in zip(light, skySigma) {
            let factor = 1 / (noise * noise * weight)
            for index in sum.indices { sum[index] += plane.values[index] * factor }
        }
        detection = Plane(width: width, height: height, values: sum)
    }

    /// Mean variance within a source over that of the sky.
    func sourceNoise(_ band: Int, _ labels: Plane<Int32>, _ label: Int32) -> Double {
        var (sum, count) = (0.0, 0.0)
        for index in labels.values.indices where labels.values[index] == label && !masked.values[index] {
            let sigma = sigma[band].values[index]
            guard sigma.isFinite else { continue }
            sum += sigma * sigma
            count += 1
        }
        return count > 0 ? max(sum / count / (skySigma[band] * skySigma[band]), 1) : 1
    }

    /// Whether a source has masked pixels.
    func masks(_ labels: Plane<Int32>, _ label: Int32) -> Bool {
        zip(labels.values, masked.values).contains { $0 == label && $1 }
    }

    /// Valid pixels in the outer eighth of the image.
    private static func border(_ plane: [Float], _ masked: Plane<Bool>) -> [Float] {
        let (width, height) = (masked.width, masked.height)
        let rim = max(2, min(width, height) / 8)
        var values: [Float] = []
        for y in 0..<height {
            for x in 0..<width where x < rim || y < rim || x >= width - rim || y >= height - rim {
                let index = y * width + x
                if !masked.values[index] { values.append(plane[index]) }
            }
        }
        return values
    }

    /// Noise of the sky, and the map of the noise where a variance is given: its faintest fifth is the sky's.
    private static func noise(
        _ variance: [Float]?, _ sky: SkyEstimate, _ masked: Plane<Bool>
    ) -> (sky: Double, map: [Double]?) {
        guard let variance else { return (Double(sky.noise), nil) }
        let known = variance.indices.filter { !masked.values[$0] && variance[$0].isFinite && variance[$0] > 0 }
        guard known.count > 32 else { return (Double(sky.noise), nil) }
        let sorted = known.map { variance[$0] }.sorted()
        return (Double(sorted[sorted.count / 5]).squareRoot(), variance.map { Double($0).squareRoot() })
    }
}
