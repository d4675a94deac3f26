import AstroIO
import Datasets
import ImageProcessing
import Inference
import Kernels
import Models
import Tensors
import Testing
import Training

@Suite struct DetectionTrainingTests {
    private static let fields = DetectionFields(seed: 7, size: 128)

    private static func examples(_ count: Int) throws -> [DetectionExample] {
        try fields.examples(count, background: .init(box: 128), workers: 2) { _ in }
    }

    private static func network(_ seed: UInt64 = 1) throws -> DetectionNetwork {
        try DetectionNetwork(
            DetectionConfiguration(widths: [8, 12, 16], headWidth: 8), seed: seed, backend: CPUBackend(threads: 1))
    }

    @Test("Fields differ, and are the same for the same seed")
    func fieldsAreDeterministic() throws {
        let (first, again) = (Self.fields.field(0), Self.fields.field(0))
        #expect(first.image.pixels == again.image.pixels && first.sources == again.sources)
        #expect(Self.fields.settings(0) != Self.fields.settings(1))
        for index in 0..<50 { #expect(Self.fields.settings(index).problem == nil) }
    }

    @Test("Targets: bright sources have a centre, pixels, offsets that point to it, and a class")
    func targets() throws {
        let example = try Self.examples(1)[0]
        let view = DetectionTargets(middleOf: example, side: 128)
        let count = 128 * 128
        #expect(view.input.count == 2 * count)
        let bright = example.truth.sources.filter {
            $0.significance > 20 && (2..<126).contains($0.x) && (2..<126).contains($0.y)
        }
        #expect(!bright.isEmpty)
        for source in bright {
            #expect(view.centre[Int(source.y.rounded()) * 128 + Int(source.x.rounded())] == 1)
        }
        for i in 0..<count where view.source[i] == 1 {
            let index = Int(example.truth.map[i]) - 1
            let x = Double(i % 128) + Double(view.offset[i] * DetectionNetwork.offsetScale)
            #expect(abs(x - example.truth.sources[index].x) < 1e-3)
            #expect(view.classes[i] + view.classes[count + i] == 1)
        }
        #expect(zip(view.heat, view.centre).allSatisfy { $0 >= $1 && $0 <= 1 })
    }

    @Test("Views turn images and targets together")
    func views() throws {
        let example = try Self.examples(1)[0]
        for seed in 0..<8 {
            var random = RandomNumbers(seed: UInt64(seed))
            let view = DetectionTargets(of: example, side: 96, random: &random)
            // Light is where sources are, whichever way the view is turned.
            let plane = view.input.prefix(96 * 96)
            let inside = zip(plane, view.source).filter { $1 == 1 }.map(\.0)
            let outside = zip(plane, view.source).filter { $1 == 0 }.map(\.0)
            guard inside.count > 20 else { continue }
            func mean(_ values: [Float]) -> Float { values.reduce(0, +) / Float(values.count) }
            #expect(mean(inside) > mean(outside) + 0.2)
        }
    }

    @Test("The network learns, and two runs with one seed are the same")
    func learns() throws {
        let examples = try Self.examples(8)
        func run() throws -> (before: Double, after: Double, weights: [[Float]]) {
            let task = DetectionTask(examples: examples, validation: Array(examples.prefix(2)), side: 64)
            let network = try Self.network()
            let parallel = DataParallel(workers: 2)
            let before = task.validation(network, Execution(), parallel)!
            var trainer = try Trainer(
                TrainerSettings(batchSize: 8, steps: 100, learningRate: 3e-3, workers: 2), network: network, task: task)
            let trained = try trainer.run()
            return (
                before, task.validation(trained, Execution(), parallel)!, trained.parameters.map { $0.tensor.floats() }
            )
        }
        let (first, second) = (try run(), try run())
        #expect(first.after < 0.85 * first.before)
        #expect(first.weights == second.weights)
    }

    @Test("Tokens of a backbone are taken where the configuration asks for them")
    func tokens() throws {
        let configuration = DetectionConfiguration(widths: [4, 4, 4, 8], headWidth: 4, tokenWidth: 6)
        let network = try DetectionNetwork(configuration, seed: 2, backend: CPUBackend(threads: 1))
        var random = RandomNumbers(seed: 3)
        let images = Tensor.normal([2, 2, 32, 48], random: &random, on: network.backend)
        let tokens = Tensor.normal([2, 4 * 6, 6], random: &random, on: network.backend)
        let maps = network(images, tokens: tokens)
        #expect(maps.shape == [2, 7, 32, 48])
        let other = network(images, tokens: tokens.scaled(by: 2))
        #expect(maps.floats() != other.floats())
        #expect(throws: ModelError.self) {
            try DetectionNetwork(
                DetectionConfiguration(widths: [4, 4], tokenWidth: 6), seed: 1, backend: CPUBackend(threads: 1))
        }
    }
}
