import Datasets
import Foundation
import ImageProcessing
import Tensors

/// A scene as a survey would see it: with noise, a depth and a segmentation, and the network's stamp of it.
package struct ParameterObservation: Sendable {
    package let stamp: ParameterStamp
    package let truth: ParameterScene.Truth
    /// Light of the band with noise, the galaxy's total being 1.
    package let light: Plane<Double>
    package let sigma: Plane<Double>
    package let segmentation: Plane<Int32>
    package let label: Int32
    /// Seeing, pixels.
    package let fwhm: Double
    /// Of the noise of the sky.
    let skySigma: Double
    private let detection: Plane<Double>
    private let sourceNoise: Double
    private let knownFWHM: Double
    let psfShape: PointSpread.Shape

    /// Looks at a scene: in one band or with another one for the detection, at a random depth.
    ///
    /// The signal to noise within the half-light radius, seeing included, is between 10 and 1500, evenly in its logarithm.
    /// - Returns: nil where the galaxy is not detected even at ten times less noise.
    package init?(_ scene: ParameterScene, random: inout RandomNumbers) {
        let band = random.integer(below: 2)
        let other = random.uniform() < 0.5 ? band : 1 - band
        let truth = scene.truths[band]
        let size = hypot(truth.halfLightRadius, scene.fwhm[band] / 2)
        let area = Double.pi * size * size * max(truth.axisRatio, 0.3)
        let wanted = exp(Double(random.uniform(log(10), log(1500))))
        let photons = exp(Double(random.uniform(log(3), log(1000))))
        let (depth, offset) = (Double(random.uniform(0.5, 1.6)), Double(random.normal()) * 0.03)
        var noise = 0.5 / (wanted * area.squareRoot())
        for _ in 0..<6 {
            let own = Self.observe(scene.planes[band], noise: noise, photons: photons, offset: offset, &random)
            var detection = own.light.map { $0 / noise }
            if other != band {
                let second = Self.observe(
                    scene.planes[other], noise: noise * depth, photons: photons, offset: 0, &random)
                let weight = (1 + 1 / (depth * depth)).squareRoot()
                for index in detection.values.indices {
                    detection.values[index] =
                        (own.light.values[index] / noise + second.light.values[index] / (noise * depth * depth))
                        / weight
                }
            }
            let labels = SourceSegmentation().find(detection, skySigma: 1, masked: nil)
            let middle = ParameterScene.side / 2
            if let label = SourceSegmentation.label(in: labels, atX: middle, y: middle, within: 8) {
                let variance = zip(own.variance, labels.values).filter { $0.1 == label }.map { $0.0 }
                let sourceNoise = variance.reduce(0, +) / Double(max(variance.count, 1)) / (noise * noise)
                // The width of the PSF is known to a few percent, as surveys know it.
                let known = scene.fwhm[band] * exp(Double(random.normal()) * 0.01)
                let knownNoise = random.uniform() < 0.3 ? 1 : sourceNoise
                guard
                    let stamp = ParameterStamp(
                        band: own.light, detection: detection, skySigma: noise, sourceNoise: knownNoise,
                        segmentation: labels, label: label, masked: nil, fwhm: known)
                else { return nil }
                self.stamp = stamp
                self.truth = truth
                light = own.light
                sigma = Plane(width: light.width, height: light.height, values: own.variance.map { $0.squareRoot() })
                segmentation = labels
                self.label = label
                fwhm = scene.fwhm[band]
                psfShape = scene.psf
                skySigma = noise
                self.detection = detection
                self.sourceNoise = knownNoise
                knownFWHM = known
                return
            }
            noise /= 1.6
        }
        return nil
    }

    /// The stamp once more, to see how long that takes.
    func makeStamp() -> ParameterStamp? {
        ParameterStamp(
            band: light, detection: detection, skySigma: skySigma, sourceNoise: sourceNoise, segmentation: segmentation,
            label: label, masked: nil, fwhm: knownFWHM)
    }

    /// The PSF on pixels.
    var psf: Plane<Double> {
        let profile = PointSpread(psfShape, fwhm: fwhm)
        let (reach, steps) = (min(Int(4 * fwhm) + 2, 40), 5)
        var values: [Double] = []
        for y in -reach...reach {
            for x in -reach...reach {
                var light = 0.0
                for j in 0..<steps {
                    for i in 0..<steps {
                        let (u, v) = (
                            Double(x) + (Double(i) - 2) / Double(steps), Double(y) + (Double(j) - 2) / Double(steps)
                        )
                        light += profile.intensity(squaredRadius: u * u + v * v)
                    }
                }
                values.append(light / Double(steps * steps))
            }
        }
        return Plane(width: 2 * reach + 1, height: 2 * reach + 1, values: values)
    }

    /// What the network should say: in the order of its outputs.
    var targets: [Float] {
        let size = (1 - truth.axisRatio) / (1 + truth.axisRatio)
        let ratio = min(truth.axisRatio, 0.985)
        return [
            2.5 * log10(stamp.referenceFlux), log(truth.halfLightRadius / Double(stamp.binning)),
            log(truth.sersicIndex),
            log(ratio / (1 - ratio)), size * cos(2 * truth.angle), size * sin(2 * truth.angle), truth.bulgeFraction,
        ].map { Float($0) }
    }

    /// Normal noise of the sky and of the photons, which equals that of the sky where the light is `photons` times its noise, and
    /// an offset of the sky in units of its noise.
    private static func observe(
        _ plane: Plane<Float>, noise: Double, photons: Double, offset: Double, _ random: inout RandomNumbers
    ) -> (light: Plane<Double>, variance: [Double]) {
        var variance = [Double](repeating: 0, count: plane.values.count)
        var light = variance
        for index in light.indices {
            let value = Double(plane.values[index])
            variance[index] = noise * noise * (1 + max(value, 0) / (noise * photons))
            light[index] = value + offset * noise + variance[index].squareRoot() * Double(random.normal())
        }
        return (Plane(width: plane.width, height: plane.height, values: light), variance)
    }
}
