import AstroIO
import Foundation
import ImageProcessing
import Inference
import Models
import Tensors
import Testing

@Suite struct RestorerTests {
    /// A network with random weights: its answers mean nothing, but they depend on every pixel within its reach.
    private func network(seed: UInt64 = 1, strength: Float = 0.1, blocks: Int = 1) throws -> RestorationNetwork {
        let network = try RestorationNetwork(
            RestorationConfiguration(channels: RestorationInput.channels, widths: [4, 6, 8], middleBlocks: blocks),
            seed: seed, backend: CPUBackend(threads: 1))
        var random = RandomNumbers(seed: seed)
        for (_, tensor) in network.parameters {
            tensor.copyValues(
                from: .normal(tensor.shape, standardDeviation: strength, random: &random, on: tensor.backend))
        }
        return network
    }

    /// A network before its training.
    private func untrained() throws -> RestorationNetwork {
        try RestorationNetwork(
            RestorationConfiguration(channels: RestorationInput.channels, widths: [4, 6, 8], middleBlocks: 1), seed: 1,
            backend: CPUBackend(threads: 1))
    }

    /// Sky of noise 1 around 100 with a star in the middle.
    private func image(width: Int, height: Int, bands: [String] = ["r"], star: Float = 500) -> Image {
        var random = RandomNumbers(seed: 9)
        var pixels: [Float] = []
        for _ in bands {
            for y in 0..<height {
                for x in 0..<width {
                    let (dx, dy) = (Float(x - width / 2), Float(y - height / 2))
                    let light: Float = star * exp(-(dx * dx + dy * dy) / 8)
                    pixels.append(100 + random.normal() + light)
                }
            }
        }
        return Image(bands: bands, width: width, height: height, pixels: pixels, unit: "adu")
    }

    @Test(arguments: [(200, 150), (131, 67), (96, 264)])
    func tilesLeaveNoSeams(width: Int, height: Int) throws {
        let image = image(width: width, height: height)
        var settings = RestorationSettings(fills: false)
        settings.refines = true
        var restorer = Restorer(try network(), workers: 2)
        let whole = try restorer.restore(image, settings).image
        restorer.tileSide = 32
        let tiled = try restorer.restore(image, settings).image
        for i in whole.pixels.indices {
            #expect(abs(whole.pixels[i] - tiled.pixels[i]) < 1e-3)
            #expect(abs(whole.variance![i] - tiled.variance![i]) < 1e-3 * whole.variance![i])
        }
        #expect(zip(whole.pixels, image.pixels).contains { abs($0 - $1) > 0.1 }, "the network does something")
    }

    /// What lies beyond the stated reach changes nothing, and what lies within it does.
    @Test func theReachIsThatOfTheNetwork() throws {
        let network = try network(blocks: 2)
        let (reach, side) = (network.configuration.reach, 256)
        var values = [Float](repeating: 0.1, count: RestorationInput.channels * side * side)
        func answer() -> [Float] {
            network(
                Tensor(values, shape: [1, RestorationInput.channels, side, side], on: network.backend), fine: false
            ).correction.floats()
        }
        let before = answer()
        values[128 * side + 128] = 5
        let after = answer()
        for y in 0..<side {
            for x in 0..<side where max(abs(x - 128), abs(y - 128)) > reach {
                #expect(before[y * side + x] == after[y * side + x])
            }
        }
        #expect(before[128 * side + 128] != after[128 * side + 128])
    }

    /// Without training it is the shrinkage alone: the sky's noise goes, the flux stays.
    @Test func anUntrainedNetworkRemovesNoiseAndKeepsFlux() throws {
        let image = image(width: 64, height: 48, bands: ["g", "r", "narrow"])
        let restored = try Restorer(try untrained(), workers: 1).restore(image, RestorationSettings(fills: false))
        #expect(restored.image.bands == image.bands && restored.image.unit == "adu")
        for band in 0..<3 {
            let corner = (0..<12).flatMap { y in
                (0..<20).map { Double(restored.image.pixels[band * 64 * 48 + y * 64 + $0]) }
            }
            let mean = corner.reduce(0, +) / Double(corner.count)
            let spread = corner.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(corner.count)
            #expect(spread.squareRoot() < 0.3 && abs(mean - 100) < 0.3)
        }
        for band in restored.bands { #expect(abs(band.flux.total - 1) < 0.005 && band.noiseIsMeasured) }
    }

    @Test func refinedPixelsAddUpToThoseOfTheImage() throws {
        let image = image(width: 64, height: 48)
        let restorer = Restorer(try network(), workers: 1)
        var settings = RestorationSettings()
        let coarse = try restorer.restore(image, settings).image
        settings.refines = true
        let fine = try restorer.restore(image, settings).image
        #expect(fine.width == 128 && fine.height == 96)
        for y in 0..<48 {
            for x in 0..<64 {
                let i = 2 * y * 128 + 2 * x
                let sum: Float = [0, 1, 128, 129].reduce(0) { $0 + fine.pixels[i + $1] }
                #expect(abs(sum - coarse.pixels[y * 64 + x]) < 1e-2)
            }
        }
    }

    /// The difference to the image has no mean on large scales, whatever the network says.
    @Test func fluxIsConservedByConstruction() throws {
        let image = image(width: 256, height: 256, star: 0)
        let restored = try Restorer(try network(), workers: 2).restore(image, RestorationSettings(fills: false)).image
        let differences = zip(restored.pixels, image.pixels).map { Double($0 - $1) }
        #expect(abs(differences.reduce(0, +) / Double(differences.count)) < 0.02)
        let spread = (differences.reduce(0) { $0 + $1 * $1 } / Double(differences.count)).squareRoot()
        #expect(spread > 0.05, "while the network changed single pixels")
    }

    @Test func gapsAreFilledOnlyWhenAsked() throws {
        var image = image(width: 64, height: 64)
        image.pixels[100] = .nan
        image.pixels[2000] = .infinity
        image.mask = image.pixels.indices.map { $0 == 3000 ? .bad : [] }
        let restorer = Restorer(try untrained(), workers: 1)
        let filled = try restorer.restore(image, RestorationSettings(denoises: false))
        #expect(filled.image.pixels.allSatisfy(\.isFinite) && filled.bands[0].masked == 3)
        for i in [100, 2000, 3000] {
            #expect(abs(filled.image.pixels[i] - 100) < 4 && filled.image.mask![i] == .interpolated)
        }
        #expect(filled.image.pixels[50] == image.pixels[50], "other pixels stay")
        let kept = try restorer.restore(image, RestorationSettings(fills: false)).image
        #expect(kept.pixels[100].isNaN && kept.variance![100].isNaN && kept.mask![100] == .noData)
        #expect(kept.pixels[3000] == image.pixels[3000] && kept.mask![3000] == .bad)
    }

    @Test func badInputIsNamed() throws {
        let restorer = Restorer(try untrained(), workers: 1)
        func kind(_ image: Image) -> RestorationError.Kind? {
            do {
                _ = try restorer.restore(image, RestorationSettings())
                return nil
            } catch { return error.kind }
        }
        #expect(kind(image(width: 15, height: 40)) == .tooSmall)
        let flat = [Float](repeating: 3, count: 32 * 32)
        #expect(kind(Image(bands: ["r"], width: 32, height: 32, pixels: flat)) == .noise)
        #expect(kind(Image(bands: ["r"], width: 32, height: 32, pixels: flat.map { _ in .nan })) == .noValidPixel)
        var masked = image(width: 32, height: 32)
        masked.mask = masked.pixels.map { _ in .saturated }
        #expect(kind(masked) == .noValidPixel)
        #expect(throws: ModelError.self) { try Restorer(path: "/nonexistent.safetensors", workers: 1) }
    }
}
