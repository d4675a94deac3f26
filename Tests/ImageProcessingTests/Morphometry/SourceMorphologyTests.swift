import Foundation
import ImageProcessing
import TestSupport
import Testing

/// Stamps by the formulas of benchmarks/parameters/statmorph_fixture.py, and statmorph's numbers for them.
struct StatmorphFixture: Decodable {
    struct Case: Decodable, CustomTestStringConvertible {
        var name: String
        var n, radius, ellip, theta, amplitude, sigma, clump, psf: Double
        var flag: Int
        var sum: Double
        var values: [String: Double]

        var testDescription: String { name }
    }
    var side: Int
    var cases: [Case]

    static let all = (try? fixture("parameters/statmorph.json", as: StatmorphFixture.self))?.cases ?? []

    /// The image without noise, at pixels' middles.
    static func light(_ c: Case, b: Double, _ x: Double, _ y: Double) -> Double {
        let (u, v) = (
            (x - 50.3) * cos(c.theta) + (y - 49.6) * sin(c.theta), (y - 49.6) * cos(c.theta) - (x - 50.3) * sin(c.theta)
        )
        let radius = hypot(u / c.radius, v / ((1 - c.ellip) * c.radius))
        let clump = c.clump * exp(-((x - 58) * (x - 58) + (y - 54) * (y - 54)) / (2 * 1.8 * 1.8))
        return c.amplitude * exp(-b * (pow(radius, 1 / c.n) - 1)) + clump
    }

    /// b(n) by bisection of the incomplete gamma function, integrated by Simpson's rule.
    private static func sersicB(_ n: Double) -> Double {
        func share(_ x: Double) -> Double {
            let steps = 1000
            func f(_ t: Double) -> Double { pow(t, 2 * n - 1) * exp(-t) }
            var sum = 0.0
            for i in 0..<steps {
                let (a, b) = (x * Double(i) / Double(steps), x * Double(i + 1) / Double(steps))
                sum += (b - a) / 6 * (f(a) + 4 * f((a + b) / 2) + f(b))
            }
            return sum / tgamma(2 * n)
        }
        var (low, high) = (0.1, 20.0)
        for _ in 0..<50 { if share((low + high) / 2) < 0.5 { low = (low + high) / 2 } else { high = (low + high) / 2 } }
        return low
    }

    static func input(_ c: Case, number: Int, side: Int = 101) -> MorphometryInput {
        var image = Plane(width: side, height: side, filledWith: 0.0)
        let b = sersicB(c.n)
        for y in 0..<side { for x in 0..<side { image[x, y] = light(c, b: b, Double(x), Double(y)) } }
        var psf: Plane<Double>?
        if c.psf > 0 {
            let reach = 7
            var kernel = Plane(width: 15, height: 15, filledWith: 0.0)
            for y in -reach...reach {
                for x in -reach...reach {
                    kernel[x + reach, y + reach] = exp(-4 * log(2) * Double(x * x + y * y) / (c.psf * c.psf))
                }
            }
            let sum = kernel.values.reduce(0, +)
            kernel = kernel.map { $0 / sum }
            let sharp = image
            for y in 0..<side {
                for x in 0..<side {
                    var total = 0.0
                    for v in max(0, y - reach)...min(side - 1, y + reach) {
                        for u in max(0, x - reach)...min(side - 1, x + reach) {
                            total += sharp[u, v] * kernel[x - u + reach, y - v + reach]
                        }
                    }
                    image[x, y] = total
                }
            }
            psf = kernel
        }
        var labels = Plane<Int32>(width: side, height: side, filledWith: 0)
        for y in 0..<side {
            for x in 0..<side {
                let isNear = hypot(Double(x) - 50.3, Double(y) - 49.6) < 30
                if isNear && image[x, y] > 1.5 * c.sigma { labels[x, y] = 1 }
                let value = sin(12.9898 * Double(x) + 78.233 * Double(y) + 3.7 * Double(number)) * 43758.5453
                image[x, y] += c.sigma * (value - value.rounded(.down) - 0.5) * 12.0.squareRoot()
            }
        }
        return MorphometryInput(
            light: image, segmentation: labels, label: 1,
            sigma: Plane(width: side, height: side, filledWith: c.sigma), psf: psf)
    }
}

@Suite struct SourceMorphologyTests {
    @Test(arguments: StatmorphFixture.all.indices)
    func agreesWithStatmorph(number: Int) throws {
        let c = StatmorphFixture.all[number]
        let input = StatmorphFixture.input(c, number: number)
        #expect(abs(input.light.values.reduce(0, +) - c.sum) < 1e-3, "the stamp is not the script's")
        var fit = SersicFit.Settings()
        fit.integratesPixels = false
        let result = SourceMorphology.measure(input, fit: fit)
        #expect(result.flag == c.flag)
        #expect(result.flagSersic == 0)
        /// Relative differences of lengths and fluxes; absolute ones of indices.
        let relative = [
            "r20", "r50", "r80", "rpetro_circ", "rpetro_ellip", "rhalf_circ", "rhalf_ellip", "flux_circ", "flux_ellip",
            "sn_per_pixel",
        ]
        for name in relative {
            let expected = try #require(c.values[name])
            #expect(abs(result[name] / expected - 1) < 0.01, "\(name): \(result[name]), statmorph \(expected)")
        }
        let absolute: [(String, Double)] = [
            ("gini", 0.005), ("m20", 0.01), ("gini_m20_bulge", 0.03), ("gini_m20_merger", 0.01),
            ("concentration", 0.02),
            ("asymmetry", 0.005), ("smoothness", 0.005), ("multimode", 0.02), ("intensity", 0.02), ("deviation", 0.02),
            ("rms_asymmetry2", 0.005), ("outer_asymmetry", 0.02), ("shape_asymmetry", 0.02), ("xc_asymmetry", 0.05),
            ("yc_asymmetry", 0.05), ("ellipticity_asymmetry", 0.005), ("orientation_asymmetry", 0.01),
            ("sky_mean", 1e-6),
            ("sky_sigma", 1e-6),
        ]
        for (name, tolerance) in absolute {
            let expected = try #require(c.values[name])
            #expect(abs(result[name] - expected) < tolerance, "\(name): \(result[name]), statmorph \(expected)")
        }
        for name in ["sersic_rhalf", "sersic_n", "sersic_amplitude"] {
            let expected = try #require(c.values[name])
            #expect(abs(result[name] / expected - 1) < 0.02, "\(name): \(result[name]), statmorph \(expected)")
        }
        #expect(abs(result["sersic_ellip"] - c.values["sersic_ellip"]!) < 0.005)
    }

    @Test func aSourceWithoutLightGivesNothing() {
        let side = 60
        var labels = Plane<Int32>(width: side, height: side, filledWith: 0)
        for y in 20..<30 { for x in 20..<30 { labels[x, y] = 1 } }
        let dark = MorphometryInput(
            light: Plane(width: side, height: side, filledWith: -1), segmentation: labels, label: 1,
            sigma: Plane(width: side, height: side, filledWith: 1))
        let result = SourceMorphology.measure(dark)
        #expect(result.flag == 4 && result.flagSersic == 4)
        #expect(MorphologyMeasurement.names.allSatisfy { result[$0] == -99 })
        var absent = dark
        absent.label = 9
        #expect(SourceMorphology.measure(absent).flag == 4)
        var blank = dark
        blank.light = Plane(width: side, height: side, filledWith: .nan)
        #expect(SourceMorphology.measure(blank).flag == 4)
    }

    @Test func hardStampsNeverCrash() {
        // Tiny, thin, cut by the border, hot pixels, no sky.
        for (width, height) in [(16, 16), (17, 90), (64, 3), (1, 1)] {
            for kind in 0..<4 {
                var light = Plane(width: width, height: height, filledWith: 0.0)
                var labels = Plane<Int32>(width: width, height: height, filledWith: kind == 3 ? 1 : 0)
                for y in 0..<height {
                    for x in 0..<width {
                        let distance = hypot(Double(x - (kind == 1 ? 0 : width / 2)), Double(y - height / 2))
                        light[x, y] = 10 * exp(-distance / 3) + 0.1 * sin(Double(7 * x + 13 * y))
                        if distance < 5 { labels[x, y] = 1 }
                    }
                }
                if kind == 2 { light[width / 2, height / 2] = .infinity }
                let result = SourceMorphology.measure(
                    MorphometryInput(
                        light: light, segmentation: labels, label: 1,
                        sigma: Plane(width: width, height: height, filledWith: 0.1)))
                #expect(MorphologyMeasurement.names.allSatisfy { result[$0].isFinite })
            }
        }
    }

    @Test(arguments: [(1.0, 0.6, 0.0), (3.5, 0.8, 2.6), (0.6, 0.3, 3.4)])
    func sersicFitFindsTheProfileThatWasDrawn(index: Double, axisRatio: Double, seeing: Double) {
        let c = StatmorphFixture.Case(
            name: "", n: index, radius: 9, ellip: 1 - axisRatio, theta: 0.8, amplitude: 5, sigma: 1e-3, clump: 0,
            psf: seeing, flag: 0, sum: 0, values: [:])
        var fit = SersicFit.Settings()
        fit.integratesPixels = false
        let result = SourceMorphology.measure(StatmorphFixture.input(c, number: 1), fit: fit)
        #expect(abs(result["sersic_n"] / index - 1) < 0.01)
        #expect(abs(result["sersic_rhalf"] / 9 - 1) < 0.01)
        #expect(abs(result["sersic_ellip"] - (1 - axisRatio)) < 0.005)
        #expect(abs(result["sersic_theta"] - 0.8) < 0.01)
        #expect(abs(result["sersic_xc"] - 50.3) < 0.02)
    }
}
