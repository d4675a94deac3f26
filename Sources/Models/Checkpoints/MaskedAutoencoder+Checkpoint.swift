import Tensors

extension MaskedAutoencoder {
    /// Takes over the weights of a run's checkpoint; positions are resized where it was for stamps of another size.
    ///
    /// - Throws: ``ModelError``, naming the tensors that the file lacks or that have another shape.
    public func copyWeights(fromCheckpoint path: String) throws(ModelError) {
        let file: Safetensors
        do { file = try Safetensors(path: path) } catch {
            throw ModelError(.file, path: path, reason: error.reason)
        }
        let grids = ["pos_embed": encoder.positionEmbedding, "decoder_pos_embed": decoderPositions]
        var (missing, mismatched): ([String], [String]) = ([], [])
        var values: [(tensor: Tensor, values: Tensor)] = []
        for (parameter, tensor) in parameters {
            guard let entry = file.entry(parameter.name) else {
                missing.append(parameter.name)
                continue
            }
            do throws(SafetensorsError) {
                let stored = try file.tensor(parameter.name, on: tensor.backend)
                let fitting = entry.shape == tensor.shape ? stored : grids[parameter.name]?.resized(stored)
                if let fitting {
                    values.append((tensor, fitting))
                } else {
                    mismatched.append("\(parameter.name) \(entry.shape) instead of \(tensor.shape)")
                }
            } catch {
                throw ModelError(.file, path: path, reason: error.reason)
            }
        }
        guard missing.isEmpty, mismatched.isEmpty else {
            throw ModelError(
                .mismatchedCheckpoint, path: path, reason: "the tensors are not those of this masked autoencoder",
                missing: missing, mismatched: mismatched)
        }
        for (tensor, values) in values { tensor.copyValues(from: values) }
    }
}
