import Foundation
import Models
import Tensors
import Testing

@Suite struct ParameterNetworkTests {
    static let configuration = ParameterConfiguration(
        channels: 2, side: 16, scalars: 5, turningScalars: [0, 1], widths: [4, 6, 8, 8], hidden: 16)

    private func sample(_ count: Int) -> (pixels: [Float], scalars: [Float]) {
        var random = RandomNumbers(seed: 5)
        return ((0..<count * 2 * 256).map { _ in random.normal() }, (0..<count * 5).map { _ in random.normal() })
    }

    @Test func aTurnedStampHasTheSamePredictionButForTheTurnedShape() throws {
        let network = try ParameterNetwork(Self.configuration, seed: 3, backend: CPUBackend(threads: 1))
        let (pixels, scalars) = sample(1)
        let upright = network.predict(pixels: pixels, scalars: scalars, signalToNoise: [10])[0]
        for number in 1..<8 {
            let view = SquareView(number)
            let turned = network.predict(
                pixels: view.turned(pixels, side: 16), scalars: view.turned(numbers: scalars, rowLength: 5, [0, 1]),
                signalToNoise: [10])[0]
            let back = view.turned(
                numbers: turned.means, rowLength: ParameterNetwork.outputs.count,
                [ParameterNetwork.turningOutputs.cosine, ParameterNetwork.turningOutputs.sine])
            for (a, b) in zip(back, upright.means) { #expect(abs(a - b) < 1e-4, "view \(number)") }
            for (a, b) in zip(turned.deviations, upright.deviations) { #expect(abs(a / b - 1) < 1e-3) }
        }
        // Without averaging, a turned stamp does differ.
        let single = network.predict(pixels: pixels, scalars: scalars, signalToNoise: [10], views: 1)[0]
        let turned = network.predict(
            pixels: SquareView(1).turned(pixels, side: 16), scalars: scalars, signalToNoise: [10], views: 1)[0]
        #expect(single.means != turned.means)
    }

    @Test func anEllipseTurnsAsItsImage() {
        // A bright line along the diagonal has an angle of 45°; a quarter turn makes it 135°, a mirror image too.
        let side = 4
        let line = (0..<16).map { Float($0 % side == $0 / side ? 1 : 0) }
        for number in [1, 4] {
            let view = SquareView(number)
            let turned = view.turned(line, side: side)
            #expect(turned == (0..<16).map { Float($0 % side == side - 1 - $0 / side ? 1 : 0) })
            #expect(view.turned(numbers: [0, 1], rowLength: 2, [0, 1])[1] == -1)
        }
    }

    @Test func savedAndReadItPredictsTheSame() throws {
        let backend = CPUBackend(threads: 1)
        let network = try ParameterNetwork(Self.configuration, seed: 4, backend: backend)
        let path = NSTemporaryDirectory() + "parameters-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try ModelFile.save(network, task: ParameterNetwork.task, configuration: network.configuration, to: path)
        let read = try ParameterNetwork.load(path: path, backend: backend)
        let (pixels, scalars) = sample(3)
        #expect(
            read.predict(pixels: pixels, scalars: scalars, signalToNoise: [5, 50, 500])
                == network.predict(pixels: pixels, scalars: scalars, signalToNoise: [5, 50, 500]))
        #expect(throws: ModelError.self) {
            var wrong = Self.configuration
            wrong.side = 20
            _ = try ParameterNetwork(wrong, seed: 1, backend: backend)
        }
    }

    @Test func calibrationMakesTwoThirdsOfTheErrorsSmallerThanTheirDeviation() {
        var random = RandomNumbers(seed: 8)
        // The deviations are too small by 2 at low and by 3 at high signal to noise.
        let signal = (0..<6000).map { _ in exp(random.uniform(log(10), log(1000))) }
        let ratios = signal.map { [abs(random.normal()) * ($0 < 100 ? 2 : 3)] }
        let calibration = ParameterCalibration(ratios: ratios, signalToNoise: signal)
        #expect(abs(calibration.factor(0, signalToNoise: 15) - 2) < 0.15)
        #expect(abs(calibration.factor(0, signalToNoise: 800) - 3) < 0.2)
        let inside = zip(ratios, signal).filter { $0[0] < calibration.factor(0, signalToNoise: $1) }.count
        #expect(abs(Double(inside) / 6000 - 0.6827) < 0.02)
        #expect(ParameterCalibration().factor(0, signalToNoise: 7) == 1)
    }
}
