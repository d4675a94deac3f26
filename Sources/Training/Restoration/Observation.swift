import Foundation
public import ImageProcessing
import Tensors

/// One simulated observation with its truth, in units of the sky's noise σ.
public struct Observation: Sendable {
    /// Side of the stamp in pixels.
    public let side: Int
    public let settings: ObservationSettings
    /// As observed; side × side.
    public private(set) var pixels: [Float]
    public private(set) var valid: [Bool]
    /// Standard deviation of each pixel as the restorer is told it.
    public private(set) var noise: [Float]
    /// The same light without noise and artefacts, at the PSF that is wanted.
    public private(set) var truth: [Float]
    /// The same on pixels half as wide, 2·side × 2·side; four of them add up to one of `truth`.
    public private(set) var fineTruth: [Float]
    /// Where light or defects are that are not of the sky.
    public private(set) var artefacts: [Bool]
    /// Whether an artefact hides the light of a pixel, and no mask says so.
    func isHidden(_ index: Int) -> Bool { valid[index] && artefacts[index] }
    /// The PSF as the restorer is told it, and the one that is wanted; nil where it is not to change.
    public private(set) var psf: (from: PSFKernel, to: PSFKernel)?

    /// Side of the part of the scene that is blurred, fine pixels; it is periodic for the transforms.
    private static let gridSide = 256
    /// Fine pixels at its edge that are not used.
    private static let edge = 24
    private static let transform = FourierTransform(side: gridSide)
    /// Full width at half maximum of a Gaussian with the variance of a pixel of width 1.
    private static let pixelFWHM = 2.355 * (1.0 / 12).squareRoot()

    /// - Parameters:
    ///   - scene: of ``RestorationScenes``.
    ///   - side: of the stamp, pixels; at most 104.
    ///   - knowsPSF: whether the restorer is told the true width of the PSF, and not one a few percent off.
    public init(
        of scene: [Float], side: Int, _ settings: ObservationSettings, knowsPSF: Bool = false,
        random: inout RandomNumbers
    ) throws(RestorationError) {
        self.side = side
        self.settings = settings
        let (observed, wanted) = Self.blurred(scene, settings, random: &random)
        let room = (Self.gridSide - 2 * Self.edge - 2 * side) / 2
        precondition(room >= 0, "[Observation] expected a stamp that fits the scene, got side \(side)")
        let corner = (
            x: Self.edge + 2 * random.integer(below: room + 1), y: Self.edge + 2 * random.integer(below: room + 1)
        )
        let brightness = pow(10, random.uniform(-0.4, 0.4)) / settings.skyNoise
        func sky(_ x: Float, _ y: Float) -> Float {
            settings.sky[0] + settings.sky[1] * (x / Float(side) - 0.5) + settings.sky[2] * (y / Float(side) - 0.5)
        }
        var light = [Float](repeating: 0, count: side * side)
        truth = light
        fineTruth = [Float](repeating: 0, count: 4 * side * side)
        for y in 0..<2 * side {
            for x in 0..<2 * side {
                let from = (corner.y + y) * Self.gridSide + corner.x + x
                let to = (y / 2) * side + x / 2
                light[to] += brightness * observed[from]
                let fine = brightness * wanted[from] + sky(Float(x) / 2 - 0.25, Float(y) / 2 - 0.25) / 4
                fineTruth[y * 2 * side + x] = fine
                truth[to] += fine
            }
        }

        // Poisson noise of the sources beside that of the sky.
        let electrons = settings.gain * settings.skyNoise
        let (across, down) = (settings.correlation[0], settings.correlation[1])
        let white = (0..<(side + 1) * (side + 1)).map { _ in random.normal() }
        let power = (1 - 2 * across * (1 - across)) * (1 - 2 * down * (1 - down))
        pixels = light
        noise = [Float](repeating: 1, count: side * side)
        for y in 0..<side {
            for x in 0..<side {
                let (i, w) = (y * side + x, y * (side + 1) + x)
                let upper = white[w] * (1 - across) + white[w + 1] * across
                let lower = white[w + side + 1] * (1 - across) + white[w + side + 2] * across
                let deviation = (1 + max(0, light[i]) / electrons).squareRoot()
                pixels[i] +=
                    sky(Float(x), Float(y))
                    + deviation * (upper * (1 - down) + lower * down) / power.squareRoot()
            }
        }
        if settings.knowsVariance {
            let estimate = PlaneFilter.smooth(pixels, width: side, height: side, sigma: 1)
            noise = estimate.map { (1 + max(0, $0) / electrons).squareRoot() }
        }

        var painter = ArtefactPainter(side: side)
        var rays = settings.cosmicRays
        while rays > 0 {
            if random.uniform() < rays { painter.cosmicRay(&random) }
            rays -= 1
        }
        for _ in 0..<settings.trails { painter.trail(&random) }
        for _ in 0..<settings.oddPixels { painter.oddPixel(&random) }
        let unmasked = painter.light
        for _ in 0..<settings.badColumns { painter.badColumn(&random) }
        for _ in 0..<settings.holes { painter.hole(&random) }
        valid = painter.dead.map { !$0 }
        artefacts = zip(unmasked, noise).map { abs($0) > 1.5 * $1 }
        for i in pixels.indices {
            pixels[i] += painter.light[i]
            if settings.masksArtefacts && artefacts[i] { valid[i] = false }
            if let limit = settings.saturation, pixels[i] > limit {
                pixels[i] = limit
                valid[i] = false
            }
        }

        if let target = settings.targetFWHM {
            let error = knowsPSF ? 1 : 1 + 0.04 * Double(random.truncatedNormal())
            psf = (
                try .moffat(fwhm: settings.fwhm * error, beta: settings.beta), try .gaussian(fwhm: target)
            )
        }
    }

    /// A part of the scene at the PSF of the image and at the one that is wanted, in one of the eight orientations of a square.
    private static func blurred(
        _ scene: [Float], _ settings: ObservationSettings, random: inout RandomNumbers
    ) -> (observed: [Float], wanted: [Float]) {
        let (side, whole) = (gridSide, RestorationScenes.side)
        let orientation = random.integer(below: 8)
        // A part with something to see: the first of eight with a source above the noise, or else the last.
        var corner = (x: 0, y: 0)
        for _ in 0..<8 {
            corner = (random.integer(below: whole - side + 1), random.integer(below: whole - side + 1))
            var brightest: Float = 0
            for y in stride(from: corner.y + side / 4, to: corner.y + 3 * side / 4, by: 2) {
                for x in stride(from: corner.x + side / 4, to: corner.x + 3 * side / 4, by: 2) {
                    brightest = max(brightest, scene[y * whole + x])
                }
            }
            if brightest > 4 * settings.skyNoise { break }
        }
        var plane = [Float](repeating: 0, count: side * side)
        for y in 0..<side {
            for x in 0..<side {
                let (u, v) = orientation & 1 == 0 ? (x, y) : (y, x)
                let column = orientation & 2 == 0 ? u : side - 1 - u
                let row = orientation & 4 == 0 ? v : side - 1 - v
                plane[row * side + column] = scene[(corner.y + y) * whole + corner.x + x]
            }
        }
        // Widths add up in squares: that of the PSF is the scene's own, the kernel's and the pixel's.
        let own = pixelFWHM * pixelFWHM + pow(RestorationScenes.sharpFWHM / 2, 2)
        func kernelFWHM(_ total: Double) -> Double { 2 * max(total * total - own, 0.09).squareRoot() }
        let observed = moffat(fwhm: kernelFWHM(settings.fwhm), beta: settings.beta)
        let wanted = settings.targetFWHM.map { gaussian(fwhm: kernelFWHM($0)) } ?? observed
        let spectrum =
            transform.forward(.init(real: plane)) * transform.forward(.init(real: observed, imaginary: wanted))
        let result = transform.inverse(spectrum)
        return (result.real, result.imaginary)
    }

    private static func moffat(fwhm: Double, beta: Double) -> [Float] {
        let inverse = 4 * (pow(2, 1 / beta) - 1) / (fwhm * fwhm)
        return kernel { pow(1 + $0 * inverse, -beta) }
    }

    private static func gaussian(fwhm: Double) -> [Float] {
        let factor = 4 * log(2.0) / (fwhm * fwhm)
        return kernel { exp(-factor * $0) }
    }

    /// A round profile of r² in fine pixels with its centre in pixel (0, 0), wrapped round, sum 1.
    private static func kernel(_ profile: (Double) -> Double) -> [Float] {
        var values = [Float](repeating: 0, count: gridSide * gridSide)
        let half = gridSide / 2
        var sum = 0.0
        for y in 0..<half {
            for x in 0...y {
                let value = profile(Double(x * x + y * y))
                for (a, b) in x == y ? [(y, x)] : [(y, x), (x, y)] {
                    for row in a == 0 ? [0] : [a, gridSide - a] {
                        for column in b == 0 ? [0] : [b, gridSide - b] {
                            values[row * gridSide + column] = Float(value)
                            sum += value
                        }
                    }
                }
            }
        }
        return values.map { $0 / Float(sum) }
    }

    /// What a network sees of this observation.
    public var input: RestorationInput {
        RestorationInput(
            pixels: pixels, valid: valid, noise: noise, width: side, height: side,
            filter: psf.map {
                WienerFilter(from: $0.from, to: $0.to, regularisations: RestorationInput.regularisations)
            })
    }
}
