import Datasets
import Foundation
import Tensors

/// Simulated galaxies for training: scenes are drawn once and kept, and looked at in new noise each time.
public struct ParameterSimulation: Sendable {
    package let scenes: [ParameterScene]

    public var count: Int { scenes.count }

    /// - Parameters:
    ///   - first: number of the first scene of the seed: sets that do not overlap have no scene in common.
    ///   - progress: called with the number of scenes done; returning false stops.
    /// - Returns: nil where it was stopped.
    public init?(
        seed: UInt64, first: Int, count: Int, workers: Int, progress: (Int) -> Bool = { _ in true }
    ) throws {
        let renderers = ParameterScene.renderers()
        var scenes: [ParameterScene] = []
        scenes.reserveCapacity(count)
        try OrderedStream(readers: 1, workers: workers).run(
            count: count, load: { $0 },
            process: { _, index in ParameterScene(seed: seed, index: first + index, renderers: renderers) },
            write: { _, scene in
                scenes.append(scene)
                return progress(scenes.count)
            })
        guard scenes.count == count else { return nil }
        self.scenes = scenes
    }

    /// The first look at a scene in which the galaxy is detected; another scene's where none is.
    package func observation(_ index: Int, random: inout RandomNumbers) -> ParameterObservation {
        var index = index
        while true {
            if let observation = ParameterObservation(scenes[index], random: &random) { return observation }
            index = (index + 1) % scenes.count
        }
    }
}
