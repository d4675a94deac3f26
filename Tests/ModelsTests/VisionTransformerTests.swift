import Foundation
import Kernels
import Models
import Tensors
import Testing

/// The fixtures are written by scripts/fixtures/vit.py: checkpoints as other projects name them, and what PyTorch
/// computes with them.
private let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

/// ‖a − b‖ / ‖b‖ and max |a − b| / max |b|.
private func relativeErrors(_ a: [Float], _ b: [Float]) -> (norm: Double, maximum: Double) {
    precondition(a.count == b.count)
    var (difference, norm, largestDifference, largest) = (0.0, 0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
        let d = Double(x) - Double(y)
        difference += d * d
        norm += Double(y) * Double(y)
        largestDifference = max(largestDifference, abs(d))
        largest = max(largest, abs(Double(y)))
    }
    return ((difference / norm).squareRoot(), largestDifference / largest)
}

@Suite struct VisionTransformerTests {
    static let styles = ["timm", "timm_registers", "dinov2", "dinov2_registers", "hugging_face"]
    let backend = CPUBackend(threads: 1)

    func load(_ style: String, precision: Precision = .float32) throws -> (VisionTransformer, Safetensors) {
        let model = try VisionTransformer.load(
            path: fixtures.appending(path: "vit_\(style).safetensors").path, backend: backend, heads: 2,
            precision: precision)
        return (model, try Safetensors(path: fixtures.appending(path: "vit_\(style)_reference.safetensors").path))
    }

    @Test(arguments: styles, [("images", "tokens"), ("images_other", "tokens_other")])
    func tokensAgreeWithPyTorchInFloat32(style: String, names: (String, String)) throws {
        let (model, reference) = try load(style)
        let tokens = model(try reference.tensor(names.0, on: backend))
        #expect(tokens.shape == reference.entry(names.1)?.shape)
        let errors = relativeErrors(tokens.floats(), try reference.floats(names.1))
        #expect(errors.norm < 1e-5 && errors.maximum < 1e-4, "\(errors)")
    }

    @Test(arguments: styles)
    func tokensAgreeWithPyTorchInBFloat16(style: String) throws {
        let (model, reference) = try load(style, precision: .bfloat16)
        let tokens = model(try reference.tensor("images", on: backend), Execution(precision: .bfloat16))
        let errors = relativeErrors(tokens.floats(), try reference.floats("tokens"))
        #expect(errors.norm < 2e-2 && errors.maximum < 2e-2, "\(errors)")
    }

    @Test func allAttentionVariantsGiveTheSameTokens() throws {
        let (model, reference) = try load("timm")
        let images = try reference.tensor("images", on: backend)
        let expected = model(images, Execution(attention: .naive)).floats()
        for variant in AttentionVariant.exact {
            #expect(relativeErrors(model(images, Execution(attention: variant)).floats(), expected).maximum < 1e-5)
        }
    }

    @Test("the order of patches inside the network does not show in its tokens", arguments: styles)
    func allOrdersGiveTheSameTokens(style: String) throws {
        let (model, reference) = try load(style)
        let images = try reference.tensor("images_other", on: backend)
        let expected = try reference.floats("tokens_other")
        for order in GridOrder.allCases {
            let tokens = model(images, Execution(order: order))
            #expect(relativeErrors(tokens.floats(), expected).norm < 1e-5, "\(order)")
        }
    }

    @Test(arguments: styles, Precision.allCases)
    func keptTokensAreThoseOfAll(style: String, precision: Precision) throws {
        let (model, reference) = try load(style)
        let images = try reference.tensor("images", on: backend)
        let execution = Execution(precision: precision)
        let all = model(images, execution)
        let patches = model.patchEmbedding(images, execution)
        for kept in [1, model.configuration.prefixCount] {
            let some = model.encode(patches + positions(of: model, images), kept: kept, execution)
            #expect(some.shape == [images.shape[0], kept, model.configuration.width])
            #expect(relativeErrors(some.floats(), all.slice(axis: 1, 0..<kept).floats()).maximum < 1e-5)
        }
    }

    private func positions(of model: VisionTransformer, _ images: Tensor) -> Tensor {
        let patch = model.configuration.patchSize
        return model.positionEmbedding.patches(rows: images.shape[2] / patch, columns: images.shape[3] / patch)
    }

    @Test func theConfigurationIsInferredFromShapes() throws {
        let timm = try load("timm").0.configuration
        #expect(
            (timm.imageSize, timm.patchSize, timm.width, timm.depth, timm.hiddenWidth) == (32, 8, 64, 2, 256))
        #expect(timm.positionCoverage == .classAndPatches && timm.qkvBias && !timm.layerScale)
        let registers = try load("timm_registers").0.configuration
        #expect(registers.registers == 3 && registers.channels == 1 && !registers.qkvBias)
        #expect(registers.positionCoverage == .patches)
        let dino = try load("dinov2_registers").0.configuration
        #expect(dino.registers == 4 && dino.layerScale && dino.positionCoverage == .classAndPatches)
        #expect(try load("dinov2").0.configuration.interpolation == .bicubicWithOffset)
    }

    @Test func aSavedModelIsReadBackUnchanged() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "vit-\(UUID()).safetensors").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var configuration = ViTConfiguration.stamp64
        configuration.depth = 1
        configuration.pooling = .classAndMean
        let model = try VisionTransformer(configuration, seed: 1, backend: backend)
        try model.save(to: path, metadata: ["normalization": "none"])
        let again = try VisionTransformer.load(path: path, backend: backend)
        #expect(again.configuration == configuration)
        for (a, b) in zip(model.parameters, again.parameters) {
            #expect(a.parameter == b.parameter && a.tensor.floats() == b.tensor.floats())
        }
        #expect(try Safetensors(path: path).metadata["normalization"] == "none")
    }

    @Test func whatDoesNotFitIsNamed() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "vit-\(UUID()).safetensors").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let model = try load("timm").0
        var tensors = model.parameters.map { (name: $0.parameter.name, tensor: $0.tensor) }
        tensors.removeAll { $0.name == "blocks.1.attn.proj.bias" }
        tensors.append(("fc_norm.weight", Tensor.ones([64], on: backend)))
        tensors.replace(("norm.bias", Tensor.ones([63], on: backend)))
        try SafetensorsWriter.write(tensors, to: path)
        let error = #expect(throws: ModelError.self) {
            try VisionTransformer.load(path: path, backend: backend, heads: 2)
        }
        #expect(error?.missing == ["blocks.1.attn.proj.bias"])
        #expect(error?.unused == ["fc_norm.weight"])
        #expect(error?.mismatched == ["norm.bias [63] instead of [64]"])
        #expect(throws: ModelError.self) { try VisionTransformer.load(path: "/nonexistent", backend: backend) }
    }

    @Test func publishedSizesHaveThePublishedNumberOfParameters() throws {
        // timm: vit_tiny_patch16_224 without its head of 193 000.
        let tiny = try VisionTransformer(.tiny(), seed: 0, backend: backend)
        #expect(tiny.parameterCount == 5_717_416 - 193_000)
    }

    @Test func anEmbeddingIsThePooledTokens() throws {
        var (model, reference) = try load("timm")
        let images = try reference.floats("images")
        let tokens = try reference.floats("tokens")
        let embedding = model.embed(batch: images, count: 2)
        #expect(relativeErrors(Array(embedding[0..<64]), Array(tokens[0..<64])).maximum < 1e-4)
        #expect(embedding.count == 2 * model.configuration.embeddingWidth)
        var configuration = model.configuration
        configuration.pooling = .meanToken
        model = try VisionTransformer(configuration, seed: 3, backend: backend)
        let mean = model.embed(batch: images, count: 2)
        let all = model(Tensor(images, shape: [2, 3, 32, 32], on: backend)).floats()
        let expected = (0..<64).map { c in (1...16).reduce(Float(0)) { $0 + all[$1 * 64 + c] } / 16 }
        #expect(relativeErrors(Array(mean[0..<64]), expected).maximum < 1e-5)
    }
}

extension [(name: String, tensor: Tensor)] {
    fileprivate mutating func replace(_ element: Element) {
        self[firstIndex { $0.name == element.name }!] = element
    }
}
