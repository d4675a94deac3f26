import Foundation

/// A safetensors file: named tensors and a few strings (https://github.com/huggingface/safetensors, "Format").
///
/// The layout is an 8-byte little-endian header length, a JSON header, and the tensors' bytes. Opening reads and checks
/// the header only: lengths against the file's size, types, shapes, offsets in order without overlap or holes. Tensors
/// are read one at a time, so memory is bounded by the largest one.
///
/// ```swift
/// let file = try Safetensors(path: "model.safetensors")
/// print(file.names, file.metadata)
/// let weight = try file.tensor("blocks.0.attn.qkv.weight", on: backend)
/// ```
public struct Safetensors: Sendable {
    /// One tensor of the file.
    public struct Entry: Sendable, Equatable {
        public var name: String
        /// The file's name of the element type: F32, BF16, I64, ….
        public var type: String
        public var shape: [Int]
        /// Where its bytes are, counted from the end of the header.
        public var range: Range<Int>
    }

    /// The file.
    public let path: String
    /// The strings of `__metadata__`.
    public let metadata: [String: String]
    /// Tensors in the order of their bytes.
    public let entries: [Entry]

    private let byName: [String: Int]
    private let dataStart: Int

    /// Longest header accepted, as in the reference implementation.
    static let maximumHeaderLength = 100_000_000

    /// Opens a file and checks its header.
    public init(path: String) throws(SafetensorsError) {
        self.path = path
        let file = try BoundedFile(path: path)
        guard file.length >= 8 else {
            throw Self.invalid(path, "the file is \(file.length) bytes long, shorter than 8")
        }
        let prefix = try file.read(at: 0, count: 8)
        let declared = prefix.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
        guard declared <= UInt64(Self.maximumHeaderLength), Int(declared) <= file.length - 8 else {
            throw Self.invalid(
                path, "is no safetensors file: its header would have \(declared) bytes, but the file has \(file.length)")
        }
        let header = try file.read(at: 8, count: Int(declared))
        dataStart = 8 + Int(declared)
        (entries, metadata) = try SafetensorsHeader.parse(header, dataLength: file.length - dataStart, path: path)
        byName = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
    }

    /// Names of all tensors, sorted.
    public var names: [String] { byName.keys.sorted() }

    /// The description of a tensor, or nil if there is none of that name.
    public func entry(_ name: String) -> Entry? { byName[name].map { entries[$0] } }

    /// A tensor's values in row-major order, converted to float32.
    public func floats(_ name: String) throws(SafetensorsError) -> [Float] {
        let (entry, bytes) = try bytes(of: name)
        guard let values = SafetensorsType(rawValue: entry.type)?.floats(bytes) else {
            throw SafetensorsError(
                .unsupportedType, path: path, tensor: name, reason: "type \(entry.type) cannot be converted to float32")
        }
        return values
    }

    /// A tensor on a backend, in float32 unless another floating-point type is asked for.
    public func tensor(
        _ name: String, dtype: DType = .float32, on backend: any Backend
    ) throws(SafetensorsError) -> Tensor {
        let values = try floats(name)
        return Tensor(values, shape: entry(name)!.shape, dtype: dtype, on: backend)
    }

    private func bytes(of name: String) throws(SafetensorsError) -> (Entry, [UInt8]) {
        guard let entry = entry(name) else {
            throw SafetensorsError(.missingTensor, path: path, tensor: name, reason: "not in the file")
        }
        let file = try BoundedFile(path: path)
        guard dataStart + entry.range.upperBound <= file.length else {
            throw SafetensorsError(.invalidFile, path: path, tensor: name, reason: "the file shrank while it was read")
        }
        return (entry, try file.read(at: dataStart + entry.range.lowerBound, count: entry.range.count))
    }

    private static func invalid(_ path: String, _ reason: String) -> SafetensorsError {
        SafetensorsError(.invalidFile, path: path, reason: reason)
    }
}

/// A file of known length that is read in pieces; closed when it goes.
struct BoundedFile: ~Copyable {
    private let descriptor: Int32
    private let path: String
    let length: Int

    init(path: String) throws(SafetensorsError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            length = 0
            throw SafetensorsError(.inputOutput, path: path, reason: String(cString: strerror(errno)))
        }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            length = 0
            throw SafetensorsError(.inputOutput, path: path, reason: "not a regular file")
        }
        length = Int(information.st_size)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func read(at offset: Int, count: Int) throws(SafetensorsError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let received = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress! + done, count - done, off_t(offset + done))
            }
            guard received > 0 else {
                throw SafetensorsError(
                    .inputOutput, path: path,
                    reason: received == 0 ? "the file ended early" : String(cString: strerror(errno)))
            }
            done += received
        }
        return bytes
    }
}
