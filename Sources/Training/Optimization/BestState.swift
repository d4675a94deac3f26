import Foundation
import Models
import Tensors

/// The weights at the smallest validation of a run.
struct BestState {
    private(set) var validation: (value: Double, step: Int)?
    private let names: [String]
    private var values: [[Float]] = []
    /// Opened by the first validation of this process.
    private var log: StepLog?

    init(_ network: some Module) { names = network.parameters.map(\.parameter.name) }

    /// Keeps the network's weights if its validation is smaller than any before. With a folder it is written there.
    mutating func consider(_ network: some Module, _ value: Double, step: Int, folder: String?) throws {
        if let folder {
            if log == nil {
                log = try StepLog(path: folder + "/validation.csv", columns: "step,validation", keepingSteps: step - 1)
            }
            try log?.append("\(step),\(value)")
            try log?.flush()
        }
        guard value.isFinite, value < validation?.value ?? .infinity else { return }
        validation = (value, step)
        values = network.parameters.map { $0.tensor.floats() }
        guard let folder else { return }
        let path = folder + "/best.safetensors"
        do {
            try SafetensorsWriter.write(
                network.parameters.map { ($0.parameter.name, $0.tensor) },
                metadata: ["validation": "\(value)", "step": "\(step)"], to: path)
        } catch { throw TrainingError(.file, path: path, reason: error.reason) }
    }

    /// Overwrites a network's weights with the best ones, if there are any.
    func load(into network: some Module) {
        for (value, parameter) in zip(values, network.parameters) {
            parameter.tensor.copyValues(
                from: Tensor(value, shape: parameter.tensor.shape, on: parameter.tensor.backend))
        }
    }

    /// Takes up the best state of an interrupted run. A state of a later step than the checkpoint will be found again.
    mutating func restore(folder: String, upTo step: Int) throws(TrainingError) {
        let path = folder + "/best.safetensors"
        guard FileManager.default.fileExists(atPath: path) else { return }
        do {
            let file = try Safetensors(path: path)
            guard let value = file.metadata["validation"].flatMap(Double.init),
                let found = file.metadata["step"].flatMap(Int.init)
            else { throw TrainingError(.file, path: path, reason: "says neither its validation nor its step") }
            guard found <= step else { return }
            values = try names.map { name throws(SafetensorsError) in try file.floats(name) }
            validation = (value, found)
        } catch let error as SafetensorsError {
            throw TrainingError(.file, path: path, reason: error.reason)
        } catch let error as TrainingError {
            throw error
        } catch {
            throw TrainingError(.file, path: path, reason: "\(error)")
        }
    }
}
