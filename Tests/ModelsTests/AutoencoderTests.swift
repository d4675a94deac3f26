import Foundation
import Models
import Tensors
import TestSupport
import Testing

@Suite struct AutoencoderTests {
    /// Tensors belong to a backend: all of a computation to the same one.
    private static let backend = CPUBackend(threads: 1)

    private static func small(_ kind: AutoencoderConfiguration.Kind) -> AutoencoderConfiguration {
        AutoencoderConfiguration(kind: kind, channels: 3, size: 16, widths: [4, 4, 8], latent: 5)
    }

    private static func network(
        _ kind: AutoencoderConfiguration.Kind, seed: UInt64 = 3
    ) throws -> ConvolutionalAutoencoder {
        try ConvolutionalAutoencoder(small(kind), seed: seed, backend: Self.backend)
    }

    private static func images(_ count: Int) -> Tensor {
        var random = RandomNumbers(seed: 9)
        return Tensor.normal([count, 3, 16, 16], random: &random, on: Self.backend)
    }

    @Test(
        "The two networks that are compared differ by less than 2 % of their parameters, and by nothing but the attention"
    )
    func parametersMatch() throws {
        let backend = Self.backend
        let plain = try ConvolutionalAutoencoder(.standard(.plain), seed: 1, backend: backend)
        let attention = try ConvolutionalAutoencoder(.standard(.attention), seed: 1, backend: backend)
        let ratio = Double(attention.parameterCount) / Double(plain.parameterCount)
        #expect(abs(ratio - 1) < 0.02)
        let names = Set(attention.parameters.map(\.parameter.name)).subtracting(plain.parameters.map(\.parameter.name))
        #expect(names.allSatisfy { $0.hasPrefix("attention.") } && names.count == 3 * 6)
    }

    @Test("A latent vector and a stamp come out, and a map of weights between 0 and 1 only with attention")
    func shapes() throws {
        let images = Self.images(3)
        for kind in AutoencoderConfiguration.Kind.allCases {
            let network = try Self.network(kind)
            #expect(network.latent(of: images).shape == [3, 5])
            #expect(network.reconstruction(of: images).shape == images.shape)
            let map = network.attentionMap(of: images)
            #expect((map?.shape == [3, 1, 4, 4]) == (kind == .attention))
            #expect(map?.floats().allSatisfy { (0...1).contains($0) } ?? true)
        }
    }

    @Test(
        "Derivatives of the loss agree with central differences, of every parameter",
        arguments: [
            AutoencoderConfiguration.Kind.plain, .attention,
        ])
    func gradients(kind: AutoencoderConfiguration.Kind) throws {
        let (network, images) = (try Self.network(kind), Self.images(2))
        let tape = Tape()
        var watched = network
        watched.watch(on: tape)
        let gradients = tape.gradients(of: watched.reconstruction(of: images).meanSquaredError(images))
        func loss(_ name: String, _ index: Int, _ change: Float) -> Double {
            var copy = network
            copy.forEachParameter { parameter, tensor in
                guard parameter.name == name else { return }
                var values = tensor.floats()
                values[index] += change
                tensor = Tensor(values, shape: tensor.shape, on: tensor.backend)
            }
            return Double(copy.reconstruction(of: images).meanSquaredError(images).scalar)
        }
        for (parameter, tensor) in network.parameters {
            let gradient = try #require(gradients[tensor]).floats()
            // The element with the largest derivative: rounding hides small ones.
            let index = gradient.indices.max { abs(gradient[$0]) < abs(gradient[$1]) }!
            // Small: a larger step meets kinks of ReLU. Rounding of the loss then leaves about 2e-4.
            let step: Float = 3e-4
            let numeric = (loss(parameter.name, index, step) - loss(parameter.name, index, -step)) / Double(2 * step)
            #expect(
                abs(numeric - Double(gradient[index])) < 0.04 * abs(numeric) + 4e-4,
                "\(parameter.name): \(numeric) and \(gradient[index])")
        }
    }

    @Test("A file gives back the same network; a file of another task is refused by name")
    func files() throws {
        try withTemporaryFolder { folder in
            let images = Self.images(2)
            for kind in AutoencoderConfiguration.Kind.allCases {
                let network = try Self.network(kind)
                let path = folder + "/\(kind.rawValue).safetensors"
                try network.save(to: path, metadata: ["note": "kept"])
                let (loaded, metadata) = try ConvolutionalAutoencoder.load(path: path, backend: Self.backend)
                #expect(loaded.configuration == network.configuration && metadata["note"] == "kept")
                #expect(loaded.reconstruction(of: images).floats() == network.reconstruction(of: images).floats())
                #expect(metadata[ModelFile.taskKey] == kind.rawValue)
            }
            let other = folder + "/other.safetensors"
            try ModelFile.save(
                try Self.network(.plain), task: "morphology", configuration: Self.small(.plain), to: other)
            #expect { try ConvolutionalAutoencoder.load(path: other, backend: Self.backend) } throws: {
                "\($0)".contains("morphology") && "\($0)".contains("other.safetensors")
            }
        }
    }

    @Test("Impossible sizes are refused")
    func impossible() {
        for configuration in [
            AutoencoderConfiguration(kind: .plain, channels: 3, size: 60, widths: [8, 8, 8, 8], latent: 4),
            AutoencoderConfiguration(kind: .plain, channels: 0, size: 64, widths: [8, 8], latent: 4),
            AutoencoderConfiguration(kind: .attention, channels: 3, size: 64, widths: [8, -8], latent: 4),
        ] {
            #expect(throws: ModelError.self) {
                try ConvolutionalAutoencoder(configuration, seed: 1, backend: Self.backend)
            }
        }
    }
}
