import Foundation
import Models
import Tensors

/// The state of a run in one safetensors file: weights, moments of the optimiser, and, as metadata, the step and what the run
/// is. Random numbers need no more than the step, because they are functions of seed and position.
struct TrainingCheckpoint {
    private static let settingsKey = "trainer_settings"
    private static let descriptionKey = "run_description"
    private static let stepKey = "step"
    private static let first = "optimizer.first."
    private static let second = "optimizer.second."

    let settings: TrainerSettings
    /// What else makes the run what it is.
    let description: String

    init(_ settings: TrainerSettings, _ description: String) {
        self.settings = settings
        self.description = description
    }

    func save(_ optimizer: AdamW, to path: String) throws {
        var tensors: [(name: String, tensor: Tensor)] = []
        for slot in optimizer.slots {
            tensors.append((slot.parameter.name, slot.tensor))
            tensors.append((Self.first + slot.parameter.name, slot.firstMoment))
            tensors.append((Self.second + slot.parameter.name, slot.secondMoment))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let json = String(decoding: try encoder.encode(settings), as: UTF8.self)
        let metadata = [
            "format": "pt", Self.settingsKey: json, Self.descriptionKey: description, Self.stepKey: "\(optimizer.step)",
        ]
        do { try SafetensorsWriter.write(tensors, metadata: metadata, to: path) } catch {
            throw TrainingError(.file, path: path, reason: error.reason)
        }
    }

    /// Overwrites weights and moments with those of a checkpoint of the same run.
    func restore(_ optimizer: inout AdamW, from path: String) throws {
        func failure(_ reason: String) -> TrainingError { TrainingError(.file, path: path, reason: reason) }
        do {
            let file = try Safetensors(path: path)
            guard
                let json = file.metadata[Self.settingsKey],
                let stored = try? JSONDecoder().decode(TrainerSettings.self, from: Data(json.utf8)),
                let step = file.metadata[Self.stepKey].flatMap(Int.init), step >= 0
            else { throw failure("not a checkpoint of a training run") }
            var comparable = stored
            comparable.checkpointInterval = settings.checkpointInterval
            guard comparable == settings, file.metadata[Self.descriptionKey] == description else {
                throw failure("the run has another configuration; continue it with that one or choose another folder")
            }
            for slot in optimizer.slots {
                let name = slot.parameter.name
                for (key, tensor) in [
                    (name, slot.tensor), (Self.first + name, slot.firstMoment),
                    (Self.second + name, slot.secondMoment),
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
