import Foundation
import Models
import Tensors

/// The state of a run in one safetensors file: weights, moments of the optimiser, and, as metadata, the step and the
/// configuration. Random numbers need no more than the step, because they are functions of seed and position.
enum TrainingCheckpoint {
    private static let configurationKey = "pretraining_configuration"
    private static let stepKey = "step"
    private static let first = "optimizer.first."
    private static let second = "optimizer.second."

    static func save(_ optimizer: AdamW, _ configuration: PretrainingConfiguration, to path: String) throws {
        var tensors: [(name: String, tensor: Tensor)] = []
        for slot in optimizer.slots {
            tensors.append((slot.parameter.name, slot.tensor))
            tensors.append((first + slot.parameter.name, slot.firstMoment))
            tensors.append((second + slot.parameter.name, slot.secondMoment))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let json = String(decoding: try encoder.encode(configuration), as: UTF8.self)
        do {
            try SafetensorsWriter.write(
                tensors, metadata: ["format": "pt", configurationKey: json, stepKey: "\(optimizer.step)"], to: path)
        } catch {
            throw TrainingError(.file, path: path, reason: error.reason)
        }
    }

    /// Overwrites weights and moments with those of a checkpoint.
    static func restore(_ optimizer: inout AdamW, _ configuration: PretrainingConfiguration, from path: String) throws {
        func failure(_ reason: String) -> TrainingError { TrainingError(.file, path: path, reason: reason) }
        do {
            let file = try Safetensors(path: path)
            guard
                let json = file.metadata[configurationKey],
                let stored = try? JSONDecoder().decode(PretrainingConfiguration.self, from: Data(json.utf8)),
                let step = file.metadata[stepKey].flatMap(Int.init), step >= 0
            else { throw failure("not a checkpoint of a pre-training run") }
            var comparable = stored
            comparable.checkpointInterval = configuration.checkpointInterval
            guard comparable == configuration else {
                throw failure("the run has another configuration; continue it with that one or choose another folder")
            }
            for slot in optimizer.slots {
                let name = slot.parameter.name
                for (key, tensor) in [
                    (name, slot.tensor), (first + name, slot.firstMoment), (second + name, slot.secondMoment),
                ] {
                    guard file.entry(key)?.shape == tensor.shape else { throw failure("\(key) has another shape") }
                    tensor.copyValues(from: try file.tensor(key, on: tensor.backend))
                }
            }
            optimizer.step = step
        } catch let error as SafetensorsError {
            throw failure(error.reason)
        }
    }
}
