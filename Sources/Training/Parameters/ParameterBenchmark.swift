import AstroIO
import Foundation
import ImageProcessing
import Kernels
public import Models
import Tensors

/// How well parameters of simulated galaxies are found, by the network, by the Sérsic fit and by the classical half-light radius.
public struct ParameterBenchmark: Sendable {
    /// The quantities that are compared, as errors: magnitudes; natural logarithms of radius and index; differences of axis ratio
    /// and bulge fraction; degrees of position angle.
    public static let quantities = [
        "magnitude", "half_light_radius", "sersic_index", "axis_ratio", "position_angle", "bulge_fraction",
    ]

    /// One galaxy.
    public struct Row: Sendable, Codable {
        public var scene: Int
        public var signalToNoise: Double
        /// Magnitude zero is the galaxy's total flux; radius in pixels; angle in degrees from +x towards +y.
        public var truth: [Double]
        public var network: [Double]
        /// Standard deviations that the network predicts for its errors.
        public var networkDeviations: [Double]
        /// nil where there is no value.
        public var sersicFit: [Double?]
        public var sersicIsGood: Bool
        /// Magnitude in two Petrosian radii, and the half-light radius along the ellipse.
        public var classical: [Double?]
        public var classicalIsGood: Bool
    }

    /// Seconds of a core's time a galaxy.
    public struct Times: Sendable, Codable {
        /// Segmentation, stamp and network.
        public var network = 0.0
        public var classical = 0.0
        public var classicalAndSersicFit = 0.0
    }

    public private(set) var rows: [Row] = []
    public private(set) var times = Times()

    /// Looks at each scene once and measures it.
    ///
    /// - Parameters:
    ///   - folder: where to write the stamps for other programs, or nil.
    public init(
        _ network: ParameterNetwork, on simulation: ParameterSimulation, seed: UInt64, views: Int, workers: Int,
        writingTo folder: String? = nil, progress: @Sendable (Int) -> Void = { _ in }
    ) throws {
        let pool = WorkerPool(threads: workers)
        var rows = [Result<(Row, Times), any Error>?](repeating: nil, count: simulation.count)
        let block = 4 * workers
        for start in stride(from: 0, to: simulation.count, by: block) {
            let range = start..<min(start + block, simulation.count)
            rows.withUnsafeMutableBufferPointer { rows in
                let rows = rows
                pool.parallelFor(range.count) { offset in
                    let index = start + offset
                    rows[index] = Result {
                        var random = RandomNumbers(seed: seed, stream: 5 << 60 | UInt64(index))
                        let observation = simulation.observation(index, random: &random)
                        if let folder { try Self.write(observation, number: index, to: folder) }
                        return Self.measure(index, observation, network, views)
                    }
                }
            }
            progress(range.upperBound)
        }
        for result in rows {
            let (row, time) = try result!.get()
            self.rows.append(row)
            let share = 1 / Double(simulation.count)
            times.network += share * time.network
            times.classical += share * time.classical
            times.classicalAndSersicFit += share * time.classicalAndSersicFit
        }
    }

    private static func measure(
        _ index: Int, _ observation: ParameterObservation, _ network: ParameterNetwork, _ views: Int
    ) -> (Row, Times) {
        var times = Times()
        let truth = observation.truth
        var prediction: ParameterNetwork.Prediction?
        var stamp = observation.stamp
        times.network = cpuSeconds {
            let detection = observation.light.map { $0 / observation.skySigma }
            _ = SourceSegmentation().find(detection, skySigma: 1, masked: nil)
            stamp = observation.makeStamp() ?? stamp
            prediction =
                network.predict(
                    pixels: stamp.pixels, scalars: stamp.scalars, signalToNoise: [Float(stamp.signalToNoise)],
                    views: views)[0]
        }
        let input = MorphometryInput(
            light: observation.light, segmentation: observation.segmentation, label: observation.label,
            sigma: observation.sigma, psf: observation.psf)
        var classical = MorphologyMeasurement()
        times.classical = cpuSeconds { classical = SourceMorphology.measure(input, parts: .multimode) }
        times.classicalAndSersicFit = cpuSeconds { classical = SourceMorphology.measure(input) }

        let (means, errors) = (prediction!.means.map(Double.init), prediction!.deviations.map(Double.init))
        let (c, s) = (means[4], means[5])
        let size = max(hypot(c, s), 1e-6)
        let ratio = 1 / (1 + exp(-means[3]))
        let unknown: Double? = nil
        let fits = classical.sersicFlux.map { $0 > 0 } ?? false
        let row = Row(
            scene: index, signalToNoise: stamp.signalToNoise,
            truth: [
                0, truth.halfLightRadius, truth.sersicIndex, truth.axisRatio, truth.angle * 180 / .pi,
                truth.bulgeFraction,
            ],
            network: [
                means[0] - 2.5 * log10(stamp.referenceFlux), exp(means[1]) * Double(stamp.binning), exp(means[2]),
                ratio,
                0.5 * atan2(s, c) * 180 / .pi, min(max(means[6], 0), 1),
            ],
            networkDeviations: [
                errors[0], errors[1], errors[2], ratio * (1 - ratio) * errors[3],
                min(0.5 * hypot(errors[4] * s / size, errors[5] * c / size) / size * 180 / .pi, 51.96), errors[6],
            ],
            sersicFit: fits
                ? [
                    -2.5 * log10(classical.sersicFlux!), classical["sersic_rhalf"], classical["sersic_n"],
                    1 - classical["sersic_ellip"], classical["sersic_theta"] * 180 / .pi, unknown,
                ] : [Double?](repeating: nil, count: 6),
            sersicIsGood: fits && classical.flagSersic <= 1,
            classical: [
                classical["flux_ellip"] > 0 ? -2.5 * log10(classical["flux_ellip"]) : unknown, classical["rhalf_ellip"],
                unknown, 1 - classical["ellipticity_asymmetry"], classical["orientation_asymmetry"] * 180 / .pi,
                unknown,
            ],
            classicalIsGood: classical.flag <= 1)
        return (row, times)
    }

    /// Time of this thread that the body takes: other programs on the machine do not count.
    private static func cpuSeconds(_ body: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
        }
        let start = now()
        body()
        return now() - start
    }

    /// `00012_image.fits` with sigma, segmentation and PSF beside it.
    private static func write(_ observation: ParameterObservation, number: Int, to folder: String) throws {
        let name = String(repeating: "0", count: max(0, 5 - String(number).count)) + String(number)
        let psf = observation.psf
        let files: [(String, Int, [Float])] = [
            ("image", observation.light.width, observation.light.values.map(Float.init)),
            ("sigma", observation.light.width, observation.sigma.values.map(Float.init)),
            (
                "segmentation", observation.light.width,
                observation.segmentation.values.map { Float($0) }
            ), ("psf", psf.width, psf.values.map(Float.init)),
        ]
        for (kind, side, pixels) in files {
            var image = Image(bands: ["r"], width: side, height: pixels.count / side, pixels: pixels)
            image.header.set(.init("LABEL", value: String(observation.label)))
            image.header.set(.init("FWHM", value: String(describing: observation.fwhm)))
            try FITSImageWriter.write(image, to: "\(folder)/\(name)_\(kind).fits")
        }
    }
}
