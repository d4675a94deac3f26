public import AstroIO
import Foundation
public import ImageProcessing
import Tensors

/// Held-out observations under fixed conditions, for comparison with other programs.
public struct RestorationBenchmarkSet: Sendable {
    /// What is asked of the restorer.
    public enum Kind: String, Sendable, CaseIterable {
        /// Noise of one survey exposure.
        case denoise
        /// The same; the PSF is to be halved.
        case deconvolve
        /// As `denoise`, with cosmic rays and trails that no mask names, and holes that one does.
        case artefacts
    }

    public let kind: Kind
    public let observations: [Observation]

    /// Seeing of 1.1″ on pixels of 0.262″.
    public static let fwhm = 4.2
    /// Full width at half maximum of the wanted PSF, pixels.
    public static let targetFWHM = 2.1

    /// - Parameter scenes: others than those of training.
    public init(_ kind: Kind, scenes: RestorationScenes, side: Int = 96, seed: UInt64) throws(RestorationError) {
        self.kind = kind
        var result: [Observation] = []
        for (index, scene) in scenes.scenes.enumerated() {
            var random = RandomNumbers(seed: seed, stream: 3 << 60 | UInt64(index))
            var settings = ObservationSettings(
                fwhm: Self.fwhm, targetFWHM: kind == .deconvolve ? Self.targetFWHM : nil, skyNoise: 0.0095, gain: 2800)
            if kind == .artefacts {
                (settings.cosmicRays, settings.holes, settings.masksArtefacts) = (3, 2, false)
                settings.trails = index % 4 == 0 ? 1 : 0
            }
            result.append(try Observation(of: scene, side: side, settings, knowsPSF: true, random: &random))
        }
        observations = result
    }

    /// The observations as the bands of one image, in units of the sky's noise, with variance and mask.
    public var observed: Image {
        image(side: 1, observations.map(\.pixels)) { image in
            image.variance = observations.flatMap { $0.noise.map { $0 * $0 } }
            image.mask = observations.flatMap { $0.valid.map { $0 ? [] : .bad } }
        }
    }

    /// What a perfect restoration gives.
    public var truth: Image { image(side: 1, observations.map(\.truth)) }

    /// The same on pixels half as wide.
    public var fineTruth: Image { image(side: 2, observations.map(\.fineTruth)) }

    /// The PSF of the observations, and the wanted one.
    public var psf: (from: PSFKernel, to: PSFKernel) {
        get throws(RestorationError) {
            (try .moffat(fwhm: Self.fwhm, beta: 3), try .gaussian(fwhm: Self.targetFWHM))
        }
    }

    private func image(side factor: Int, _ planes: [[Float]], _ edit: (inout Image) -> Void = { _ in }) -> Image {
        let side = factor * observations[0].side
        var image = Image(
            bands: planes.indices.map { "stamp\($0)" }, width: side, height: side, pixels: planes.flatMap { $0 })
        edit(&image)
        return image
    }
}
