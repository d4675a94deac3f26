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
        public var list_sha256: String
    }

    public var program = "lenticular"
    public var version = ProgramVersion.current
    public var pipeline: String
    public var command_line: [String]
    public var seed: UInt64
    /// Digest of run.yaml.
    public var configuration_sha256: String
    public var model: Model?
    public var input: Input
    /// ISO 8601, UTC.
    public var started: String
    public var finished: String?
    /// How many objects an earlier, interrupted part of this run had done.
    public var resumed_after: Int
    public var objects: Int
    public var failures: Int
    public var seconds: [String: Double]
    public var objects_per_second: Double?
    public var peak_memory_mebibytes: Int
    public var instruction_set: String

    public func json() -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else {
            preconditionFailure("[provenance] expected plain values")
        }
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    /// The largest resident memory of this process so far.
    static var peakMemoryMebibytes: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Int(usage.ru_maxrss) / 1024
    }

    static func now() -> String {
        Date.now.formatted(.iso8601)
    }
}
