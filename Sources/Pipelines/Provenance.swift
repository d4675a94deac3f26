import Foundation

/// How a run came about: enough to say what made its files, and to make them again.
public struct Provenance: Codable, Sendable {
    public struct Model: Codable, Sendable {
        /// As it was asked for: a name or a path.
        public var name: String
        public var sha256: String
        public var precision: String
        public var attention: String
        /// Numbers in an embedding.
        public var width: Int
    }

    public struct Input: Codable, Sendable {
        public var paths: [String]
        /// Objects found.
        public var objects: Int
        /// Digest of the list of their ids and files, in order.
        public var listSHA256: String

        enum CodingKeys: String, CodingKey {
            case paths, objects
            case listSHA256 = "list_sha256"
        }
    }

    public var program = "lenticular"
    public var version = ProgramVersion.current
    public var pipeline: String
    public var commandLine: [String]
    public var seed: UInt64
    /// Digest of run.yaml.
    public var configurationSHA256: String
    public var model: Model?
    /// Digests of the models of other stages, by path.
    public var otherModels: [String: String]?
    public var input: Input
    /// ISO 8601, UTC.
    public var started: String
    public var finished: String?
    /// How many objects an earlier, interrupted part of this run had done.
    public var resumedAfter: Int
    public var objects: Int
    public var failures: Int
    public var seconds: [String: Double]
    public var objectsPerSecond: Double?
    public var peakMemoryMebibytes: Int
    public var instructionSet: String

    enum CodingKeys: String, CodingKey {
        case program, version, pipeline, seed, model, input, started, finished, objects, failures, seconds
        case commandLine = "command_line"
        case configurationSHA256 = "configuration_sha256"
        case otherModels = "other_models"
        case resumedAfter = "resumed_after"
        case objectsPerSecond = "objects_per_second"
        case peakMemoryMebibytes = "peak_memory_mebibytes"
        case instructionSet = "instruction_set"
    }

    public func json() -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else {
            preconditionFailure("[provenance] expected plain values")
        }
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    /// The largest resident memory of this process so far.
    static var peakMemory: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Int(usage.ru_maxrss) / 1024
    }

    static func now() -> String {
        Date.now.formatted(.iso8601)
    }
}
