import Foundation
import Models
import Tensors

/// The weights at the smallest validation of a run.
struct BestState {
    private(set) var validation: (value: Double, step: Int)?
    private let names: [String]
    private var values: [[Float]] = []

    init(_ network: some Module) { names = network.parameters.map(\.parameter.name) }

    /// Keeps the network's weights if its validation is smaller than any before. With a folder it is written there.
    mutating func consider(_ network: some Module, _ value: Double, step: Int, folder: String?) throws {
        if let folder { try Self.append("\(step),\(value)\n", to: folder + "/validation.csv") }
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

    private static func append(_ row: String, to path: String) throws(TrainingError) {
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: Data("step,validation\n".utf8))
        }
        guard let handle = FileHandle(forWritingAtPath: path) else {
            throw TrainingError(.file, path: path, reason: "cannot be written")
        }
        defer { try? handle.close() }
        do {
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(row.utf8))
        } catch {
            throw TrainingError(.file, path: path, reason: "cannot be written: \(error.localizedDescription)")
        }
    }
}
