import AstroIO
import Foundation
import ImageProcessing
import Inference
import Models
import Tensors
import TestSupport
import Testing

@Suite struct DetectionInferenceTests {
    @Test("A source on the border of tiles is found once, as in the middle of one")
    func noSeams() throws {
        let middle = try HandMadeDetector.sources(
            HandMadeDetector.image(width: 160, height: 150, x: 32.2, y: 32.4))
        try #require(middle.count == 1)
        // Offsets of 0 keep the pixels within 3 of the peak's: the barycentre is drawn towards that pixel's centre.
        #expect(abs(middle[0].x - 32.2) < 0.4 && abs(middle[0].y - 32.4) < 0.4)
        // Tiles begin every 64 pixels.
        for (x, y) in [(64.2, 32.4), (63.2, 64.4), (64.2, 63.4), (128.2, 128.4)] {
            let border = try HandMadeDetector.sources(
                HandMadeDetector.image(width: 160, height: 150, x: x, y: y))
            try #require(border.count == 1, "at \(x), \(y)")
            #expect(border[0].area == middle[0].area)
            #expect(abs(border[0].x - x - (middle[0].x - 32.2)) < 1e-5)
            #expect(abs(border[0].y - y - (middle[0].y - 32.4)) < 1e-5)
            #expect(abs(border[0].a - middle[0].a) < 1e-5 && abs(border[0].theta - middle[0].theta) < 1e-5)
            #expect(abs(border[0].probability - middle[0].probability) < 1e-5)
        }
    }

    @Test("Maps of tiles with a wide halo are those of the whole image")
    func tilesAgree() throws {
        let network = try DetectionNetwork(
            DetectionConfiguration(widths: [4, 6, 8]), seed: 3, backend: CPUBackend(threads: 1))
        let (width, height) = (150, 131)
        var random = RandomNumbers(seed: 4)
        let significance = (0..<(width * height)).map { _ in 3 * random.normal() }
        let mask = [UInt8](repeating: 0, count: significance.count)
        let whole = TiledNetwork(network, core: 160, halo: 64, workers: 1)
            .maps(significance: significance, mask: mask, width: width, height: height)
        let tiles = TiledNetwork(network, core: 32, halo: 64, workers: 2)
            .maps(significance: significance, mask: mask, width: width, height: height)
        for (a, b) in zip(whole.source + whole.offsetX + whole.star, tiles.source + tiles.offsetX + tiles.star) {
            #expect(abs(a - b) < 1e-4)
        }
    }

    @Test("Two peaks share the pixels that their offsets point to")
    func grouping() {
        var maps = DetectionMaps(width: 40, height: 20)
        for y in 5..<15 {
            for x in 5..<35 {
                let i = y * 40 + x
                maps.source[i] = 0.9
                maps.offsetX[i] = Float((x < 20 ? 12 : 27) - x)
                maps.offsetY[i] = Float(10 - y)
                (maps.star[i], maps.galaxy[i]) = x < 20 ? (0.8, 0.2) : (0.1, 0.9)
            }
        }
        maps.centre[10 * 40 + 12] = 0.9
        maps.centre[10 * 40 + 27] = 0.7
        // A weaker peak in the first one's area, whose offset says so, and one below the threshold.
        maps.centre[8 * 40 + 8] = 0.6
        maps.centre[12 * 40 + 30] = 0.2
        let image = HandMadeDetector.image(width: 40, height: 20, x: 12, y: 10)
        let found = SourceGrouping(DetectionThresholds(centre: 0.5)).segmentation(of: maps, in: image)
        #expect(found.sources.map(\.area) == [150, 150])
        #expect(found.sources.map(\.mostProbableClass) == [.star, .galaxy])
        #expect(found.sources.map { $0.flags & 1 } == [1, 1])
        #expect(abs(found.sources[0].probability - 0.9) < 1e-6)
        #expect(found.map[10 * 40 + 19] == 1 && found.map[10 * 40 + 20] == 2 && found.map[0] == 0)
        maps.artefact = maps.source
        maps.star = maps.centre
        maps.galaxy = maps.centre
        let grouping = SourceGrouping(DetectionThresholds(centre: 0.5))
        #expect(grouping.segmentation(of: maps, in: image).sources.isEmpty)
        #expect(grouping.segmentation(of: maps, in: image, keepsArtefacts: true).sources.count == 2)
    }

    @Test("Stamps smaller than the network's grid, and images that are all masked")
    func smallAndMasked() throws {
        let detector = SourceDetector.network(try HandMadeDetector.network(), workers: 1)
        var random = RandomNumbers(seed: 5)
        let pixels = (0..<35).map { _ in random.normal() }
        let tiny = Image(bands: ["r"], width: 7, height: 5, pixels: pixels)
        #expect(try detector.detect(in: tiny).segmentation.map.count == 35)
        let masked = Image(
            bands: ["r"], width: 7, height: 5, pixels: pixels, mask: [PixelMask](repeating: .bad, count: 35))
        #expect(throws: ExtractionError.self) { try detector.detect(in: masked) }
    }

    @Test("A network comes back from its file; other files are named errors")
    func files() throws {
        try withTemporaryFolder { folder in
            let network = try HandMadeDetector.network()
            let path = folder + "/model.safetensors"
            try network.save(to: path)
            let read = try DetectionNetwork.load(path: path, backend: CPUBackend(threads: 1))
            #expect(read.configuration == network.configuration)
            #expect(read.parameters.map { $0.tensor.floats() } == network.parameters.map { $0.tensor.floats() })
            let detector = try SourceDetector.network(path: path, workers: 1, threshold: 0.9)
            #expect(detector.name == "network")
            try "no model".write(toFile: folder + "/bad.safetensors", atomically: true, encoding: .utf8)
            #expect(throws: InferenceError.self) {
                try SourceDetector.network(path: folder + "/bad.safetensors", workers: 1)
            }
        }
    }
}
