import Tensors

/// Hands the tensors of a file to a network under construction and remembers what does not fit.
final class CheckpointReader {
    private let file: Safetensors
    private let keys: CheckpointKeys
    private let backend: any Backend
    private var missing: [String] = []
    private var mismatched: [String] = []
    private var used: Set<String> = []
    private var failure: SafetensorsError?

    init(file: Safetensors, keys: CheckpointKeys, backend: any Backend) {
        self.file = file
        self.keys = keys
        self.backend = backend
    }

    var source: ParameterSource { ParameterSource { name, shape, _ in self.tensor(name, shape) } }

    /// The tensor, or an empty one where the file has none: ``finish()`` throws then.
    private func tensor(_ name: String, _ shape: [Int]) -> Tensor {
        let absent = Tensor.zeros([0], on: backend)
        guard let pieces = keys.sources[name], !pieces.contains("") else {
            missing.append(name)
            return absent
        }
        used.formUnion(pieces)
        var joined = file.entry(pieces[0])!.shape
        for piece in pieces.dropFirst() where !joined.isEmpty { joined[0] += file.entry(piece)!.shape.first ?? 0 }
        guard joined == shape else {
            mismatched.append("\(name) \(joined) instead of \(shape)")
            return absent
        }
        do throws(SafetensorsError) {
            var values: [Float] = []
            for piece in pieces { values += try file.floats(piece) }
            guard values.count == shape.reduce(1, *) else {
                mismatched.append("\(name): its parts differ")
                return absent
            }
            return Tensor(values, shape: shape, on: backend)
        } catch {
            failure = error
            return absent
        }
    }

    /// Throws unless every parameter was found in its shape and every tensor was used.
    func finish() throws(ModelError) {
        if let failure { throw ModelError(.file, path: file.path, reason: failure.description) }
        let unused = keys.sources.values.joined().filter { !used.contains($0) && !$0.isEmpty } + keys.unknown
        guard missing.isEmpty && mismatched.isEmpty && unused.isEmpty else {
            throw ModelError(
                .mismatchedCheckpoint, path: file.path, reason: "the tensors are not those of this network",
                missing: missing.sorted(), unused: unused.sorted(), mismatched: mismatched)
        }
    }
}
