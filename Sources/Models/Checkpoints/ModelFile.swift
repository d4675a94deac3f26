import Foundation
public import Tensors

/// Networks in safetensors files: the weights by name, and in the metadata what the file is for (`lenticular_task`), the
/// configuration that builds the network (`lenticular_configuration`, JSON), and further strings.
public enum ModelFile {
    public static let taskKey = "lenticular_task"
    public static let configurationKey = "lenticular_configuration"

    /// Writes a network.
    ///
    /// - Parameters:
    ///   - task: what the network does, such as `morphology`; ``load(path:task:backend:build:)`` asks for it.
    ///   - storage: type in which product weights are stored; everything else is float32.
    ///   - metadata: further strings.
    public static func save(
        _ network: some Module, task: String, configuration: some Encodable, storage: DType = .float32,
        metadata: [String: String] = [:], to path: String
    ) throws(ModelError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        var metadata = metadata
        metadata["format"] = "pt"
        metadata[taskKey] = task
        do {
            metadata[configurationKey] = String(decoding: try encoder.encode(configuration), as: UTF8.self)
        } catch {
            throw ModelError(.invalidConfiguration, path: path, reason: "the configuration cannot be written: \(error)")
        }
        let tensors = network.parameters.map { parameter, tensor in
            (parameter.name, parameter.role == .weight ? tensor.detached.cast(to: storage) : tensor)
        }
        do { try SafetensorsWriter.write(tensors, metadata: metadata, to: path) } catch {
            throw ModelError(.file, path: path, reason: error.reason)
        }
    }

    /// Reads a network that ``save(_:task:configuration:storage:metadata:to:)`` wrote. Weights become float32.
    ///
    /// - Parameter build: makes the network from its configuration and the source of its parameters.
    /// - Returns: the network, its configuration and the file's metadata.
    /// - Throws: ``ModelError`` for a file of another task, and naming missing, unused and misshapen tensors.
    public static func load<Network: Module, Configuration: Decodable>(
        path: String, task: String, backend: any Backend,
        build: (Configuration, ParameterSource) throws(ModelError) -> Network
    ) throws(ModelError) -> (network: Network, configuration: Configuration, metadata: [String: String]) {
        let file: Safetensors
        do { file = try Safetensors(path: path) } catch {
            throw ModelError(.file, path: path, reason: error.reason)
        }
        guard file.metadata[taskKey] == task, let json = file.metadata[configurationKey] else {
            let other =
                file.metadata[taskKey].map { "is a model for \($0)" } ?? "is no model of this program for a task"
            throw ModelError(.mismatchedCheckpoint, path: path, reason: "\(other); expected one for \(task)")
        }
        let configuration: Configuration
        do { configuration = try JSONDecoder().decode(Configuration.self, from: Data(json.utf8)) } catch {
            throw ModelError(
                .invalidConfiguration, path: path,
                reason: "\(configurationKey) is not a configuration of \(task): \(error)")
        }
        let keys = CheckpointKeys(exact: file.names)
        let reader = CheckpointReader(file: file, keys: keys, backend: backend)
        let network = try build(configuration, reader.source)
        try reader.finish()
        return (network, configuration, file.metadata)
    }
}
