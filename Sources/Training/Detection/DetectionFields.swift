public import Datasets
import Foundation
public import ImageProcessing
import Kernels
import Synchronization
import Tensors

/// The simulated fields that detection is learnt from, or judged on: as different as surveys are in seeing, sampling, depth, density
/// and cleanliness. A field is a function of the seed and its number.
public struct DetectionFields: Sendable {
    public let seed: UInt64
    /// Side of a field, pixels.
    public let size: Int

    public init(seed: UInt64, size: Int = 192) {
        self.seed = seed
        self.size = size
    }

    /// The settings of a field.
    public func settings(_ index: Int) -> FieldSettings {
        var random = RandomNumbers(seed: seed, stream: 0x0DE7_0000_0000 | UInt64(index))
        func logarithmic(_ low: Double, _ high: Double) -> Double {
            low * pow(high / low, Double(random.uniform()))
        }
        var settings = FieldSettings()
        settings.size = size
        settings.pixelScale = logarithmic(0.08, 0.5)
        // FWHM of 1.8 to 7 pixels, whatever the pixels.
        let typical = settings.bands.map(\.seeing).reduce(0, +) / Double(settings.bands.count)
        let factor = logarithmic(1.8, 7) * settings.pixelScale / typical
        settings.seeingFactor = (0.95 * factor)...(1.05 * factor)
        let area = pow(Double(size) * settings.pixelScale / 60, 2)
        settings.galaxyDensity = min(1000, logarithmic(4, 45) / area)
        settings.starDensity = min(1000, logarithmic(1, 15) / area)
        settings.densityFactor = 1...1
        settings.depth = 0.1...20
        settings.companionShare = Double(random.uniform(0, 0.5))
        settings.resolvedGalaxies = Double(random.uniform(0, 4))
        settings.cosmicRays = logarithmic(10, 500)
        settings.trails = 0.2
        settings.badColumns = 2
        settings.segmentationThreshold = 0.15
        return settings
    }

    /// The settings and the seed of the simulator that makes a field.
    public func field(_ index: Int) -> SimulatedField {
        FieldSimulator(seed: seed, settings: settings(index)).field(index)
    }

    /// A field of one survey: the simulator's own settings, so that magnitudes of different fields can be compared.
    public func surveyField(_ index: Int) -> SimulatedField {
        var settings = FieldSettings()
        settings.size = size
        settings.depth = 1...1
        settings.segmentationThreshold = 0.15
        return FieldSimulator(seed: seed, settings: settings).field(index)
    }

    /// The first fields as examples, made by several threads.
    ///
    /// - Parameter report: called with the number of examples made.
    public func examples(
        _ count: Int, background: BackgroundModel.Settings, workers: Int, _ report: (Int) -> Void
    ) throws -> [DetectionExample] {
        let state = Mutex(
            (done: 0, made: [DetectionExample?](repeating: nil, count: count), error: nil as ExtractionError?))
        WorkerPool(threads: workers).parallelFor(count) { index in
            do throws(ExtractionError) {
                var random = RandomNumbers(seed: seed, stream: 0xE7A1_0000_0000 | UInt64(index))
                let example = try DetectionExample(field(index), background: background, random: &random)
                state.withLock { state in
                    state.made[index] = example
                    state.done += 1
                    report(state.done)
                }
            } catch {
                state.withLock { $0.error = error }
            }
        }
        let (made, error) = state.withLock { ($0.made.compactMap { $0 }, $0.error) }
        if let error { throw error }
        return made
    }
}
