import Foundation
import ImageProcessing
import Inference
import Models
import Tensors

/// A detection network whose weights are set by hand: it looks at single pixels only, and says source above 2 σ and centre above 8 σ,
/// with all offsets 0.
enum HandMadeDetector {
    static func network() throws -> DetectionNetwork {
        var network = try DetectionNetwork(
            DetectionConfiguration(widths: [4, 4, 4], headWidth: 4), seed: 1, backend: CPUBackend(threads: 1))
        network.forEachParameter { _, tensor in tensor = .zeros(tensor.shape, on: tensor.backend) }
        let backend = network.backend
        func pass(_ convolution: inout Convolution) {
            let (kernel, inputs) = (convolution.weight.shape[2], convolution.weight.shape[1])
            var values = [Float](repeating: 0, count: convolution.weight.count)
            values[kernel * kernel / 2] = 1
            precondition(inputs > 0)
            convolution.weight = Tensor(values, shape: convolution.weight.shape, on: backend)
        }
        pass(&network.entries[0])
        pass(&network.decoders[0])
        pass(&network.head)
        var weights = [Float](repeating: 0, count: network.maps.weight.count)
        let source = DetectionNetwork.Map.source.rawValue
        let centre = DetectionNetwork.Map.centre.rawValue
        weights[source * 4] = 20
        weights[centre * 4] = 2
        var biases = [Float](repeating: 0, count: 7)
        let levels = DetectionNetwork.input(significance: [2, 8], mask: [0, 0])
        biases[source] = -20 * levels[0]
        biases[centre] = -2 * levels[1]
        biases[DetectionNetwork.Map.galaxy.rawValue] = 3
        network.maps.weight = Tensor(weights, shape: network.maps.weight.shape, on: backend)
        network.maps.bias = Tensor(biases, shape: [7], on: backend)
        return network.with(thresholds: DetectionThresholds(centre: 0.5))
    }

    /// A plane without noise that has a Gaussian of 30 σ at a place.
    static func image(width: Int, height: Int, x: Double, y: Double) -> DetectionImage {
        let pixels = (0..<(width * height)).map { i in
            let (dx, dy) = (Double(i % width) - x, Double(i / width) - y)
            return Float(30 * exp(-0.5 * (dx * dx / 9 + dy * dy / 4)))
        }
        return DetectionImage([
            BandPlane(
                band: "r", width: width, height: height, pixels: pixels,
                noise: [Float](repeating: 1, count: pixels.count), mask: [UInt8](repeating: 0, count: pixels.count))
        ])
    }

    static func sources(_ image: DetectionImage) throws -> [DetectedSource] {
        let network = try network()
        let maps = TiledNetwork(network, core: 64, halo: 32, workers: 2)
            .maps(significance: image.significance, mask: image.mask, width: image.width, height: image.height)
        return SourceGrouping(network.configuration.thresholds).segmentation(of: maps, in: image).sources
    }
}
