import Datasets
import Foundation
public import Inference
import Models
import Tensors

extension FittedOutliers {
    /// What the files are for.
    public static let task = "outliers"

    /// The backbone of an archive of embeddings: its weights are not in the file.
    public struct Backbone: Sendable, Codable, Hashable {
        /// As it was asked for: a name or a path.
        public var name: String
        public var sha256: String
        public var views: Int

        public init(name: String, sha256: String, views: Int) {
            self.name = name
            self.sha256 = sha256
            self.views = views
        }
    }

    private struct Description: Codable {
        var settings: OutlierSettings
        var normalization: StampNormalization
        var network: AutoencoderConfiguration?
        var views: Int?
        var backbone: Backbone?
        var width: Int
    }

    /// Writes the method: network, archive, names of its members, and their scores.
    ///
    /// - Parameter backbone: which one made the vectors, where the encoder is a backbone.
    public func save(to path: String, backbone: Backbone? = nil, metadata: [String: String] = [:]) throws {
        let cpu = CPUBackend(threads: 1)
        var description = Description(
            settings: settings, normalization: encoder.normalization, backbone: backbone, width: archive.width)
        var tensors: [(name: String, tensor: Tensor)] = [
            ("archive.vectors", Tensor(archive.values, shape: [archive.count, archive.width], on: cpu)),
            ("archive.scores", Tensor(sortedScores.map { Float($0) }, shape: [sortedScores.count], on: cpu)),
            ("archive.members", try Self.packed(members, on: cpu)),
        ]
        if case .autoencoder(let network, _, let views) = encoder {
            (description.network, description.views) = (network.configuration, views)
            tensors += network.parameters.map { ("network." + $0.name, $1) }
        }
        let coder = JSONEncoder()
        coder.outputFormatting = [.sortedKeys]
        var metadata = metadata
        metadata[ModelFile.taskKey] = Self.task
        metadata[ModelFile.configurationKey] = String(decoding: try coder.encode(description), as: UTF8.self)
        try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
    }

    /// Reads a method that ``save(to:backbone:metadata:)`` wrote.
    ///
    /// - Parameter backbone: finds the backbone that made an archive's embeddings.
    /// - Throws: ``OutlierError`` (``OutlierError/Kind/invalidFile``) for files of something else and damaged ones.
    public static func load(path: String, backbone: (Backbone) throws -> Embedder) throws -> FittedOutliers {
        func invalid(_ reason: String) -> OutlierError { OutlierError(.invalidFile, "\(path): \(reason)") }
        let file = try Safetensors(path: path)
        guard file.metadata[ModelFile.taskKey] == task, let json = file.metadata[ModelFile.configurationKey] else {
            throw invalid("is no fitted method; lenticular outliers writes them")
        }
        guard let description = try? JSONDecoder().decode(Description.self, from: Data(json.utf8)) else {
            throw invalid("its \(ModelFile.configurationKey) cannot be read")
        }
        let values = try file.floats("archive.vectors")
        guard let members = unpacked(try file.floats("archive.members")) else {
            throw invalid("the names of its objects cannot be read")
        }
        guard description.width > 0, values.count == members.count * description.width else {
            throw invalid("\(values.count) numbers are not vectors of \(members.count) objects")
        }
        let encoder: StampEncoder
        if let configuration = description.network {
            let network = try ConvolutionalAutoencoder(
                configuration, from: file, prefix: "network.", backend: CPUBackend(threads: 1))
            encoder = .autoencoder(network, description.normalization, views: description.views ?? 1)
        } else if let known = description.backbone {
            encoder = .backbone(try backbone(known).cropped(description.normalization.crop))
        } else {
            encoder = .pixels(description.normalization)
        }
        return try FittedOutliers(
            description.settings, encoder: encoder,
            archive: VectorSet(count: members.count, width: description.width, values: values), members: members,
            sortedScores: try file.floats("archive.scores").map(Double.init))
    }

    // MARK: - Names

    /// The members as JSON, two bytes a number: tensors hold no text, and a file's header would be too short for a survey.
    private static func packed(_ members: [Member], on backend: any Backend) throws -> Tensor {
        var bytes = Array(try JSONEncoder().encode(members))
        // A space behind JSON means nothing.
        if bytes.count % 2 == 1 { bytes.append(UInt8(ascii: " ")) }
        let numbers = stride(from: 0, to: bytes.count, by: 2).map { Int32(bytes[$0]) | Int32(bytes[$0 + 1]) << 8 }
        return Tensor(indices: numbers, shape: [numbers.count], on: backend)
    }

    private static func unpacked(_ numbers: [Float]) -> [Member]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 * numbers.count)
        for number in numbers {
            guard let value = UInt16(exactly: number) else { return nil }
            bytes += [UInt8(value & 255), UInt8(value >> 8)]
        }
        return try? JSONDecoder().decode([Member].self, from: Data(bytes))
    }
}
