import Foundation
public import Tensors

extension ConvolutionalAutoencoder {
    /// Reads a network that ``save(to:metadata:)`` wrote, of either kind.
    ///
    /// - Returns: the network and the file's metadata.
    public static func load(
        path: String, backend: any Backend
    ) throws(ModelError) -> (network: ConvolutionalAutoencoder, metadata: [String: String]) {
        let task: String?
        do { task = try Safetensors(path: path).metadata[ModelFile.taskKey] } catch {
            throw ModelError(.file, path: path, reason: error.reason)
        }
        let kind = task.flatMap(AutoencoderConfiguration.Kind.init) ?? .attention
        let (network, _, metadata) = try ModelFile.load(path: path, task: kind.rawValue, backend: backend) {
            (configuration: AutoencoderConfiguration, source) throws(ModelError) in
            try ConvolutionalAutoencoder(configuration, from: source)
        }
        return (network, metadata)
    }

    /// Writes the network; the task of the file is its kind, `cae` or `attcae`.
    public func save(to path: String, metadata: [String: String] = [:]) throws(ModelError) {
        try ModelFile.save(
            self, task: configuration.kind.rawValue, configuration: configuration, metadata: metadata, to: path)
    }

    /// A network inside another file, whose tensors have a common prefix there.
    public init(
        _ configuration: AutoencoderConfiguration, from file: Safetensors, prefix: String, backend: any Backend
    ) throws(ModelError) {
        let names = file.names.filter { $0.hasPrefix(prefix) }
        let reader = CheckpointReader(file: file, keys: CheckpointKeys(exact: names), backend: backend)
        try self.init(configuration, from: reader.source.prefixed(prefix))
        try reader.finish()
    }
}
