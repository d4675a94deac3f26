import Tensors

/// A fitted method that a file can hold.
public protocol StoredScorer: OutlierScorer {
    /// Writes the fitted state as safetensors.
    func save(to path: String) throws

    /// Reads what ``save(to:)`` wrote.
    ///
    /// - Throws: ``OutlierError`` with ``OutlierError/Kind/invalidFile`` for a file of another method or with impossible numbers,
    ///   or ``SafetensorsError``.
    init(path: String) throws
}

/// The file of a fitted method: float32 tensors, and strings among which `method` says what it is.
struct ScorerFile {
    static let methodKey = "lenticular.outliers.method"

    let path: String
    private let file: Safetensors

    static func write(
        _ method: String, _ tensors: [(name: String, values: [Float], shape: [Int])], strings: [String: String] = [:],
        to path: String
    ) throws {
        let backend = CPUBackend()
        try SafetensorsWriter.write(
            tensors.map { ($0.name, Tensor($0.values, shape: $0.shape, on: backend)) },
            metadata: strings.merging([methodKey: method]) { first, _ in first }, to: path)
    }

    /// Opens a file of `method`.
    init(path: String, method: String) throws {
        self.path = path
        file = try Safetensors(path: path)
        guard file.metadata[Self.methodKey] == method else {
            throw invalid("holds \(file.metadata[Self.methodKey] ?? "no outlier method"), expected \(method)")
        }
    }

    /// A tensor of so many dimensions, with its shape.
    func tensor(_ name: String, dimensions: Int) throws -> (values: [Float], shape: [Int]) {
        let values = try file.floats(name)
        guard let shape = file.entry(name)?.shape, shape.count == dimensions, shape.allSatisfy({ $0 > 0 }) else {
            throw invalid("tensor \"\(name)\" has not the \(dimensions) dimensions that it should have")
        }
        return (values, shape)
    }

    /// A string that stands for a value.
    func value<Value: LosslessStringConvertible>(_ name: String) throws -> Value {
        guard let text = file.metadata[name], let value = Value(text) else {
            throw invalid("\"\(name)\" is missing or no \(Value.self)")
        }
        return value
    }

    func invalid(_ reason: String) -> OutlierError { OutlierError(.invalidFile, "\(path): \(reason)") }
}
