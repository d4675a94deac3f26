import Datasets
import Foundation
import Inference
import Models
import Tensors
import TestSupport
import Testing

@Suite("Embedder")
struct EmbedderTests {
    /// A small network with random weights in a file, with a normalisation of its own.
    private func save(to path: String, metadata: [String: String]) throws {
        let configuration = ViTConfiguration(
            imageSize: 16, patchSize: 4, channels: 3, width: 24, depth: 2, heads: 2)
        try VisionTransformer(configuration, seed: 3, backend: CPUBackend(threads: 1)).save(
            to: path, metadata: metadata)
    }

    private func stamps(_ count: Int) -> [Float] {
        var random = RandomNumbers(seed: 4)
        return (0..<(count * 3 * 16 * 16)).map { _ in random.normal() }
    }

    @Test("with four views an embedding does not depend on quarter turns, with eight not on mirroring either")
    func views() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/m.safetensors"
            try save(to: path, metadata: [:])
            let stamps = stamps(3)
            for (views, symmetries) in [(4, 1..<4), (8, 1..<8)] {
                let embedder = try Embedder(path: path, views: views)
                let reference = embedder.embed(stamps, count: 3)
                for view in symmetries {
                    let turned = embedder.embed(Embedder.turned(stamps, side: 16, view: view), count: 3)
                    #expect(zip(reference, turned).allSatisfy { abs($0 - $1) < 1e-4 }, "\(views) views, turn \(view)")
                }
            }
            let single = try Embedder(path: path)
            let turned = single.embed(Embedder.turned(stamps, side: 16, view: 1), count: 3)
            #expect(!zip(single.embed(stamps, count: 3), turned).allSatisfy { abs($0 - $1) < 1e-3 })
        }
    }

    @Test("four quarter turns and two mirrorings are nothing, and a turn moves corners")
    func turns() {
        let plane = (0..<16).map { Float($0) }
        var four = plane
        for _ in 0..<4 { four = Embedder.turned(four, side: 4, view: 1) }
        #expect(four == plane)
        let mirrored = Embedder.turned(plane, side: 4, view: 4)
        #expect(mirrored != plane && Embedder.turned(mirrored, side: 4, view: 4) == plane)
        let turned = Embedder.turned(plane, side: 4, view: 1)
        #expect(Set([turned[0], turned[3], turned[12], turned[15]]) == [0, 3, 12, 15] && turned[0] != 0)
    }

    @Test("the normalisation comes from the checkpoint; without one it is ImageNet's; a damaged one is an error")
    func normalization() throws {
        try withTemporaryFolder { folder in
            let own = StampNormalization(size: 16, crop: .pixels(48), mean: [0.1, 0.2, 0.3], deviation: [1, 2, 3])
            let json = String(decoding: try JSONEncoder().encode(own), as: UTF8.self)
            try save(to: folder + "/own.safetensors", metadata: [Embedder.normalizationKey: json])
            #expect(try Embedder(path: folder + "/own.safetensors").normalization == own)
            try save(to: folder + "/none.safetensors", metadata: [:])
            let standard = try Embedder(path: folder + "/none.safetensors").normalization
            #expect(standard.size == 16 && standard.mean == [0.485, 0.456, 0.406])
            try save(to: folder + "/bad.safetensors", metadata: [Embedder.normalizationKey: "{"])
            #expect(throws: InferenceError.self) { try Embedder(path: folder + "/bad.safetensors") }
            #expect(throws: InferenceError.self) { try Embedder(path: folder + "/missing.safetensors") }
        }
    }
}
