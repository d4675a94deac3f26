import Foundation
import Tensors
import Testing

struct SafetensorsTests {
    private let backend = CPUBackend()

    @discardableResult
    private func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).safetensors").path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    @Test("A file of the Python package reads, all types converted")
    func python() throws {
        try withFile(PyTorchValues.safetensors) { path in
            let file = try Safetensors(path: path)
            #expect(file.names == ["brain", "byte", "double", "empty", "half", "long", "single"])
            #expect(file.metadata == ["format": "pt", "note": "quote \" and ü"])
            #expect(try file.floats("half") == [0.5, -2, 65504, 0x1p-24])
            #expect(try file.floats("brain") == [1, -0.5])
            #expect(try file.floats("long") == [-7, 0x1p40])
            #expect(try file.floats("double") == [0.1])
            #expect(try file.floats("byte") == [0, 255])
            #expect(try file.floats("empty") == [])
            #expect(try file.floats("single") == [1.5, .infinity])
            let brain = try file.tensor("brain", dtype: .bfloat16, on: backend)
            #expect(brain.shape == [1, 2] && brain.dtype == .bfloat16 && brain.floats() == [1, -0.5])
            #expect(throws: SafetensorsError.self) { try file.tensor("missing", on: backend) }
        }
    }

    @Test("What is written is read back")
    func roundTrip() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("model.safetensors").path
        let tensors: [(name: String, tensor: Tensor)] = [
            ("blocks.0 \"ü\\\n", Tensor([1, -2, .pi], shape: [3, 1], on: backend)),
            ("b", Tensor([1.5, 2.5], shape: [2], dtype: .bfloat16, on: backend)),
            ("i", Tensor(indices: [1, -1], shape: [2], on: backend)),
            ("scalar", Tensor(4, on: backend)),
        ]
        try SafetensorsWriter.write(tensors, metadata: ["a": "1", "tab\t": "\u{1}"], to: path)
        let file = try Safetensors(path: path)
        #expect(file.metadata == ["a": "1", "tab\t": "\u{1}"])
        for (name, tensor) in tensors where tensor.dtype != .int32 {
            let read = try file.tensor(name, dtype: tensor.dtype, on: backend)
            #expect(read.shape == tensor.shape && read.floats() == tensor.floats())
        }
        #expect(try file.floats("i") == [1, -1])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["model.safetensors"])
        #expect(throws: SafetensorsError.self) {
            try SafetensorsWriter.write([("x", tensors[0].tensor), ("x", tensors[0].tensor)], to: path)
        }
        #expect(throws: SafetensorsError.self) {
            try SafetensorsWriter.write(tensors, to: "/nowhere/model.safetensors")
        }
    }

    private func file(_ header: String, data: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
            + [UInt8](repeating: 0, count: data)
    }

    @Test(
        "Files that are not valid are refused with a sentence",
        arguments: [
            (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4),  // shape needs 8 bytes
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 8),  // bytes left over
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8),  // hole at the front
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 8),  // reversed
            (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4),
            (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0),  // overflow
            (#"{"a":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}}"#, 8),
            (#"{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#, 4),
            (#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, 4),
            (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1e30]}}"#, 4),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4),
            (
                #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
                6
            ),
            (#"{"__metadata__":{"a":1}}"#, 0), (#"{"a":{}}"#, 0), ("[1]", 0), ("", 0), ("{", 0), (#"{"a":"#, 0),
            (String(repeating: "{\"a\":", count: 5000), 0), (String(repeating: "[", count: 5000), 0),
        ])
    func invalid(header: String, data: Int) throws {
        try withFile(file(header, data: data)) { path in
            let error = try #require(throws: SafetensorsError.self) { try Safetensors(path: path) }
            #expect(error.kind == .invalidFile && error.description.hasPrefix(path))
        }
    }

    @Test("Short files, huge header lengths, folders and missing files are refused")
    func unreadable() throws {
        for bytes in [[], [1, 2, 3], [UInt8](repeating: 255, count: 16), [9, 0, 0, 0, 0, 0, 0, 0, 123]] as [[UInt8]] {
            try withFile(bytes) { path in
                #expect(throws: SafetensorsError.self) { try Safetensors(path: path) }
            }
        }
        for path in ["/", "/nowhere/x", "/dev/zero"] {
            let error = try #require(throws: SafetensorsError.self) { try Safetensors(path: path) }
            #expect(error.kind == .inputOutput)
        }
    }

    @Test("Files with random damage never crash the reader", .timeLimit(.minutes(1)))
    func fuzz() throws {
        var random = RandomNumbers(seed: 99)
        var refused = 0
        for _ in 0..<4000 {
            var bytes = PyTorchValues.safetensors
            switch random.integer(below: 4) {
            case 0: bytes.removeLast(random.integer(below: bytes.count))
            case 1: bytes.insert(UInt8(random.integer(below: 256)), at: random.integer(below: bytes.count))
            default:
                for _ in 0...random.integer(below: 6) {
                    bytes[random.integer(below: bytes.count)] = UInt8(random.integer(below: 256))
                }
            }
            try withFile(bytes) { path in
                do {
                    let file = try Safetensors(path: path)
                    for name in file.names { _ = try file.floats(name) }
                } catch is SafetensorsError {
                    refused += 1
                }
            }
        }
        #expect(refused > 2000)
    }
}
