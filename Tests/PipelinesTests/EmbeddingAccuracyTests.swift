import Datasets
import Foundation
import Inference
import Models
import Pipelines
import Tensors
import Testing

/// What precisions and attention variants may do to embeddings, on the shipped model and the shipped images.
@Suite("Accuracy of embeddings")
struct EmbeddingAccuracyTests {
    private static let sample = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "data/sample").path

    private func stamps(_ normalization: StampNormalization) throws -> (values: [Float], count: Int) {
        let reader = StampReader(normalization: normalization)
        let stamps = try FileDiscovery().objects(in: [Self.sample]).map { try reader.stamp(of: $0).values }
        return (stamps.flatMap { $0 }, stamps.count)
    }

    /// For each object the index of the nearest other one.
    private func nearest(_ embeddings: [Float], _ count: Int) -> [Int] {
        let width = embeddings.count / count
        func distance(_ a: Int, _ b: Int) -> Float {
            (0..<width).reduce(0) {
                let d = embeddings[a * width + $1] - embeddings[b * width + $1]
                return $0 + d * d
            }
        }
        return (0..<count).map { a in (0..<count).filter { $0 != a }.min { distance(a, $0) < distance(a, $1) }! }
    }

    @Test("VFA equals FA2 to rounding on embeddings, and on labels: each object has the same nearest neighbour")
    func variants() throws {
        let path = try InstalledFiles.model(named: "default")
        let reference = try Embedder(path: path, attention: .fa2)
        let (stamps, count) = try stamps(reference.normalization)
        let expected = reference.embed(stamps, count: count)
        let neighbours = nearest(expected, count)
        for variant in AttentionVariant.exact where variant != .fa2 {
            let found = try Embedder(path: path, attention: variant).embed(stamps, count: count)
            let agreement = EmbeddingAgreement(found, reference: expected, width: reference.width)
            #expect(agreement.minimumCentredCosine > 1 - 1e-8, "\(variant): \(agreement)")
            #expect(nearest(found, count) == neighbours, "\(variant)")
        }
    }

    @Test("bfloat16 turns an embedding by less than 0.6 degrees, int8 by less than 2.6")
    func precisions() throws {
        let objects = try FileDiscovery().objects(in: [Self.sample])
        let rows = try AccuracyBenchmark(
            model: InstalledFiles.model(named: "default"),
            executions: Precision.allCases.map { Execution(precision: $0) }, workers: 2
        ).run(objects)
        #expect(rows.map(\.precision) == Precision.allCases)
        for row in rows {
            let (least, leastCentred) =
                switch row.precision {
                case .float32: (1 - 1e-8, 1 - 1e-8)
                case .bfloat16: (0.99995, 0.9995)
                case .int8: (0.999, 0.99)
                }
            #expect(row.agreement.objects == objects.count)
            #expect(row.agreement.minimumCosine > least, "\(row)")
            #expect(row.agreement.minimumCentredCosine > leastCentred, "\(row)")
        }
        // An execution that silently ran in another precision would pass the bounds above.
        #expect(rows[0].agreement.meanCentredCosine > rows[1].agreement.meanCentredCosine)
        #expect(
            rows[1].agreement.meanCentredCosine > rows[2].agreement.meanCentredCosine || !CPUBackend.hasInt8Products)
    }

    @Test("agreement is the cosine of the angle, before and after subtracting the references' mean")
    func agreement() {
        let reference: [Float] = [3, 0, 3, 4]
        let exact = EmbeddingAgreement(reference, reference: reference, width: 2)
        #expect(
            exact.objects == 2 && abs(exact.minimumCosine - 1) < 1e-12 && abs(exact.minimumCentredCosine - 1) < 1e-12)
        // The mean is (3, 2): the first object moves from (0, -2) to (0, 2) about it.
        let moved = EmbeddingAgreement([3, 4, 3, 4], reference: reference, width: 2)
        #expect(abs(moved.minimumCosine - 0.6) < 1e-6 && abs(moved.meanCosine - 0.8) < 1e-6)
        #expect(abs(moved.minimumCentredCosine + 1) < 1e-6 && abs(moved.meanCentredCosine) < 1e-6)
    }
}
