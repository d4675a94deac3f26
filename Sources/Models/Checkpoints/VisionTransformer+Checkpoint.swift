import Foundation
public import Tensors

extension VisionTransformer {
    /// The key of `__metadata__` under which the configuration stands, as JSON.
    public static let configurationKey = "vit_configuration"

    /// Loads a checkpoint with names of timm, DINOv2 or Hugging Face's Dinov2Model.
    ///
    /// The configuration is read from the file's metadata if this program wrote it, else inferred from the shapes.
    /// - Parameters:
    ///   - heads: number of attention heads, for files that do not say it and do not have 64 channels a head.
    ///   - precision: to keep the product weights for, see ``Module/converted(to:)``. ``Precision/int8`` must also be said to
    ///     ``embed(batch:count:height:width:precision:attention:)``; the others are its default.
    /// - Throws: ``ModelError``, naming every parameter that is missing, every tensor that is not used and every shape
    ///   that differs.
    public static func load(
        path: String, backend: any Backend, heads: Int? = nil, precision: Precision = .float32
    ) throws(ModelError) -> VisionTransformer {
        let file: Safetensors
        do { file = try Safetensors(path: path) } catch {
            throw ModelError(.file, path: path, reason: error.reason)
        }
        let keys = CheckpointKeys(file.names)
        let configuration: ViTConfiguration
        if let stored = try storedConfiguration(file) {
            configuration = stored
        } else {
            configuration = try ViTConfiguration(inferredFrom: file, keys: keys, heads: heads)
        }
        let reader = CheckpointReader(file: file, keys: keys, backend: backend)
        let model = try VisionTransformer(configuration, from: reader.source)
        try reader.finish()
        return precision == .float32 ? model : model.converted(to: precision)
    }

    /// Writes the weights and the configuration; ``load(path:backend:heads:precision:)`` reads them back.
    ///
    /// - Parameter metadata: further strings to store, such as how images are to be normalised.
    public func save(to path: String, metadata: [String: String] = [:]) throws(ModelError) {
        var metadata = metadata
        metadata["format"] = "pt"
        metadata[Self.configurationKey] = Self.json(configuration)
        do {
            try SafetensorsWriter.write(parameters.map { ($0.parameter.name, $0.tensor) }, metadata: metadata, to: path)
        } catch {
            throw ModelError(.file, path: path, reason: error.reason)
        }
    }

    static func json(_ configuration: ViTConfiguration) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        // A struct of numbers and strings always encodes.
        return (try? encoder.encode(configuration)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private static func storedConfiguration(_ file: Safetensors) throws(ModelError) -> ViTConfiguration? {
        guard let json = file.metadata[configurationKey] else { return nil }
        do {
            return try JSONDecoder().decode(ViTConfiguration.self, from: Data(json.utf8))
        } catch {
            throw ModelError(
                .invalidConfiguration, path: file.path, reason: "\(configurationKey) is not a configuration: \(error)")
        }
    }
}
