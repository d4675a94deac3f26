import Datasets
import Foundation
import Kernels
import Synchronization
import Tensors

/// Noiseless scenes of galaxies and stars on pixels half as wide as those of the images to be made from them.
///
/// Light is sharp: the PSF of a scene is ``sharpFWHM``. Observations blur it further. Scene i of a seed is the same however many
/// there are.
public struct RestorationScenes: Sendable {
    /// Side of a scene in fine pixels.
    public static let side = 224
    /// Full width at half maximum of the PSF of scenes, fine pixels.
    public static let sharpFWHM = 1.0

    /// side × side, nanomaggies a fine pixel.
    public let scenes: [[Float]]

    public var count: Int { scenes.count }

    /// - Parameters:
    ///   - first: number of the first scene, so that scenes for validation are others than those for training.
    ///   - progress: called with the number of scenes done, one call at a time; returning false stops.
    /// - Throws: `CancellationError` when stopped.
    public init(
        count: Int, seed: UInt64, first: Int = 0, workers: Int, progress: (Int) -> Bool = { _ in true }
    ) throws {
        var results = [[Float]](repeating: [], count: count)
        let renderer = SceneRenderer(size: Self.side, pixelScale: 0.131)
        let pool = WorkerPool(threads: workers)
        let state = Mutex((done: 0, stopped: false))
        results.withUnsafeMutableBufferPointer { results in
            let results = results
            pool.parallelFor(count) { index in
                if state.withLock({ $0.stopped }) { return }
                results[index] = Self.render(first + index, seed: seed, renderer)
                state.withLock {
                    $0.done += 1
                    if !progress($0.done) { $0.stopped = true }
                }
            }
        }
        if state.withLock({ $0.stopped }) { throw CancellationError() }
        scenes = results
    }

    private static func render(_ index: Int, seed: UInt64, _ renderer: SceneRenderer) -> [Float] {
        var random = RandomNumbers(seed: seed, stream: UInt64(index))
        func between(_ low: Float, _ high: Float) -> Double { Double(random.uniform(low, high)) }
        let field = 0.131 * Double(side)
        var parts: [LightComponent] = []
        func place(_ share: Float = 0.5) -> (Double, Double) {
            (between(-share, share) * field, between(-share, share) * field)
        }
        func flux(_ magnitude: Double) -> [Double] { [SurveyBand.flux(magnitude: magnitude)] }
        if between(0, 1) < 0.6 {
            let (x, y) = place(0.25)
            let (magnitude, angle) = (between(16, 19.5), between(0, 180))
            let (radius, q, bulge) = (between(1, 4.5), between(0.15, 1), between(0.05, 0.9))
            parts.append(
                LightComponent(
                    .sersic(index: between(1.5, 4.5), halfLightRadius: radius * between(0.2, 0.9)), x: x, y: y,
                    axisRatio: max(q, 0.4), positionAngle: angle, flux: flux(magnitude - 2.5 * log10(bulge))))
            let arms = between(0, 1) < 0.5
            parts.append(
                LightComponent(
                    arms
                        ? .arms(
                            halfLightRadius: radius, count: 2 + random.integer(below: 2),
                            pitchDegrees: between(10, 30), phase: between(0, 6.28))
                        : .sersic(index: 1, halfLightRadius: radius), x: x, y: y, axisRatio: q, positionAngle: angle,
                    flux: flux(magnitude - 2.5 * log10(1 - bulge))))
        }
        for _ in 0..<(2 + random.integer(below: 12)) {
            let (x, y) = place()
            let magnitude = 24.5 - 5.5 * pow(between(0, 1), 2)
            parts.append(
                LightComponent(
                    .sersic(
                        index: between(0.6, 4),
                        halfLightRadius: 0.2 + between(0.05, 0.5) * pow(10, 0.12 * (24 - magnitude))),
                    x: x, y: y, axisRatio: between(0.2, 1), positionAngle: between(0, 180), flux: flux(magnitude)))
        }
        for _ in 0..<random.integer(below: 6) {
            let (x, y) = place()
            parts.append(LightComponent(.point, x: x, y: y, flux: flux(between(16, 24))))
        }
        return renderer.render(parts, psfs: [MoffatPSF(fwhm: sharpFWHM * 0.131)])[0]
    }
}
