import Datasets
import Kernels
import Synchronization
import Tensors

/// Noiseless fields of the sky on pixels half as wide as those of the images to be made from them.
///
/// Light is sharp: the PSF of a scene is ``sharpFWHM``. Observations blur it further. Each simulated field gives three scenes, its
/// bands; fields differ in pixel scale, by more than a factor of two. Scene i of a seed is the same
/// however many there are.
public struct RestorationScenes: Sendable {
    /// Side of a scene in fine pixels.
    public static let side = 384
    /// Full width at half maximum of the Gaussian PSF of scenes, fine pixels.
    public static let sharpFWHM = 1.0
    /// Arcseconds a fine pixel.
    private static let pixelScales = [0.085, 0.131, 0.131, 0.2]

    /// side × side, nanomaggies a fine pixel.
    public let scenes: [[Float]]

    public var count: Int { scenes.count }

    /// - Parameters:
    ///   - first: number of the first field, so that scenes for validation are others than those for training.
    ///   - progress: called with the number of scenes done, one call at a time; returning false stops.
    /// - Throws: `CancellationError` when stopped.
    public init(
        count: Int, seed: UInt64, first: Int = 0, workers: Int, progress: (Int) -> Bool = { _ in true }
    ) throws {
        let simulators = Self.pixelScales.map { FieldSimulator(seed: seed, settings: Self.settings(pixelScale: $0)) }
        let fields = (count + 2) / 3
        var results = [[[Float]]](repeating: [], count: fields)
        let state = Mutex((done: 0, stopped: false))
        results.withUnsafeMutableBufferPointer { results in
            let results = results
            WorkerPool(threads: workers).parallelFor(fields) { index in
                if state.withLock({ $0.stopped }) { return }
                let light = simulators[index % simulators.count].field(first + index).noiseless
                let size = Self.side * Self.side
                results[index] = (0..<3).map { Array(light[($0 * size)..<(($0 + 1) * size)]) }
                state.withLock {
                    $0.done += 3
                    if !progress(min($0.done, count)) { $0.stopped = true }
                }
            }
        }
        if state.withLock({ $0.stopped }) { throw CancellationError() }
        scenes = Array(results.joined().prefix(count))
    }

    /// Crowded fields without a camera's faults, drawn down to light far below the noise of the observations.
    private static func settings(pixelScale: Double) -> FieldSettings {
        var settings = FieldSettings().withoutArtefacts
        settings.size = side
        settings.pixelScale = pixelScale
        settings.bands = SurveyBand.legacy.map { band in
            var band = band
            band.seeing = sharpFWHM * pixelScale
            return band
        }
        settings.psf = .gaussian
        settings.seeingFactor = 1...1
        settings.depth = 10...10
        settings.galaxyDensity = 30
        settings.starDensity = 8
        settings.resolvedGalaxies = 6
        settings.magnitudes = 15...25.5
        return settings
    }
}
