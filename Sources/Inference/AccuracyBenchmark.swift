public import Datasets
public import Models
import Tensors

/// Measures what a precision or an attention variant does to the embeddings of real images.
///
/// The reference is the same network in float32 with all attention scores at once.
public struct AccuracyBenchmark: Sendable {
    /// One way to compute, and how its embeddings agree with the reference.
    public struct Row: Sendable, Codable {
        public var precision: Precision
        public var attention: String
        public var agreement: EmbeddingAgreement
    }

    /// A checkpoint.
    public var model: String
    public var executions: [Execution]
    /// Views of each image whose embeddings are averaged.
    public var views: Int
    /// Single-threaded workers.
    public var workers: Int

    public init(model: String, executions: [Execution], views: Int = 1, workers: Int) {
        self.model = model
        self.executions = executions
        self.views = views
        self.workers = workers
    }

    /// Embeds the objects that can be read, in every way.
    ///
    /// - Throws: `InferenceError` if the model cannot be used, or no object can be read.
    public func run(_ objects: [ObjectFiles]) throws -> [Row] {
        let embedders = try ([Execution(attention: .naive)] + executions).map {
            try Embedder(path: model, precision: $0.precision, attention: $0.attention, order: $0.order, views: views)
        }
        let reader = StampReader(normalization: embedders[0].normalization)
        let batch = 32
        var embeddings = [[Float]](repeating: [], count: embedders.count)
        try OrderedStream(readers: 2, workers: workers).run(
            count: (objects.count + batch - 1) / batch,
            load: { index -> (stamps: [Float], count: Int) in
                var result: (stamps: [Float], count: Int) = ([], 0)
                for object in objects[(index * batch)..<min((index + 1) * batch, objects.count)] {
                    guard let stamp = try? reader.stamp(of: object) else { continue }
                    result.stamps += stamp.values
                    result.count += 1
                }
                return result
            },
            process: { _, batch in embedders.map { $0.embed(batch.stamps, count: batch.count) } },
            write: { _, batch in
                for index in batch.indices { embeddings[index] += batch[index] }
                return true
            })
        guard !embeddings[0].isEmpty else { throw InferenceError(path: model, "none of the images can be read") }
        return zip(executions, embeddings.dropFirst()).map { execution, found in
            Row(
                precision: execution.precision, attention: execution.attention.description,
                agreement: EmbeddingAgreement(found, reference: embeddings[0], width: embedders[0].width))
        }
    }
}
