import Datasets
import Foundation
import Models
import Tensors
import Testing
import Training

/// Small problems that can be solved, from vectors and from pixels.
@Suite struct MorphologyTrainingTests {
    private func labels(_ target: MorphologyTarget, _ values: [Float]) -> MorphologyLabels {
        let count = values.count / target.labelWidth
        return MorphologyLabels(
            target: target, objects: (0..<count).map { ObjectFiles(id: "\($0)", planes: [.init(path: "/\($0)")]) },
            values: values, parts: .init(repeating: nil, count: count), failures: [], unlabelledRows: 0,
            unlabelledImages: 0, repeatedRows: 0)
    }

    /// Three clouds of points, as far apart as twice their width.
    private func clouds(_ count: Int, width: Int = 16) -> (features: MorphologyFeatures, classes: [Int]) {
        var random = RandomNumbers(seed: 5)
        let classes = (0..<count).map { $0 % 3 }
        var values: [Float] = []
        for name in classes {
            for channel in 0..<width {
                let centre: Float = channel % 3 == name ? 1.2 : 0
                values.append(random.normal() + centre + 40 * Float(channel))
            }
        }
        return (MorphologyFeatures(values, width: width), classes)
    }

    private func settings(members: Int = 1, hidden: Int = 0) -> HeadSettings {
        HeadSettings(hidden: hidden, members: members, steps: 120, learningRate: 1e-2, weightDecay: 0.1)
    }

    @Test(arguments: [0, 16]) func aHeadLearnsClassesAndKnowsHowSureItIs(_ hidden: Int) throws {
        let (features, classes) = clouds(600)
        let labels = labels(.classes(["a", "b", "c"]), classes.map(Float.init))
        let split = LabelSplit(labels, testShare: 0.4, seed: 1)
        #expect(split.test.count == 240 && Set(split.test).isDisjoint(with: split.train))
        let result = try HeadTrainer(
            settings(members: 2, hidden: hidden), features: features, labels: labels, reference: split.train
        ).train(split)
        let logits = features.logits(result.head, split.test)
        let answers = split.test.indices.map {
            labels.target.answer(logits[($0 * 3)..<($0 * 3 + 3)], result.calibration)
        }
        let metrics = ClassMetrics(
            probabilities: answers.flatMap(\.values), labels: split.test.map { classes[$0] }, classCount: 3
        ).values(weights: .init(repeating: 1, count: 240))
        // The best possible classifier of these clouds is right in 95 % of the cases.
        #expect(metrics["accuracy"]! > 0.9)
        #expect(metrics["calibration_error"]! < 0.06)
    }

    @Test func oneSeedGivesOneHead() throws {
        let (features, classes) = clouds(90)
        let labels = labels(.classes(["a", "b", "c"]), classes.map(Float.init))
        let trainer = HeadTrainer(settings(), features: features, labels: labels, reference: Array(0..<90))
        let (first, second) = (try trainer.fit(Array(0..<60)).head, try trainer.fit(Array(0..<60)).head)
        #expect(features.logits(first, [70, 80]) == features.logits(second, [70, 80]))
    }

    /// A temperature that was put in is found.
    @Test func calibrationUndoesOverconfidence() {
        var random = RandomNumbers(seed: 9)
        let target = MorphologyTarget.classes(["a", "b"])
        let logits = (0..<4000).map { _ in 2 * random.normal() }
        let truths: [Float] = logits.map { logit in
            let probability: Float = 1 / (1 + expf(-logit))
            return random.uniform() < probability ? 1 : 0
        }
        var heldOut = HeldOutLogits()
        let confident: [Float] = logits.flatMap { [Float(0), 3 * $0] }
        heldOut.append(confident, of: Array(logits.indices))
        let calibration = CalibrationFit(target).fit(heldOut, labels(target, truths))
        #expect(abs(calibration.temperatures[0] - 3) < 0.3)
    }

    /// Votes drawn with known fractions and scatter: the head finds both.
    @Test func aTreeLearnsFractionsAndScatter() throws {
        let tree = try DecisionTree(
            name: "t",
            questions: [
                .init("shape", [.init("round"), .init("flat")]),
                .init("bar", [.init("yes"), .init("no")], parent: .init("shape", "flat")),
            ])
        var random = RandomNumbers(seed: 2)
        var (vectors, votes): ([Float], [Float]) = ([], [])
        for _ in 0..<800 {
            let x = random.normal()
            let share = 1 / (1 + expf(-1.5 * x))
            // No more scatter than that of 40 people.
            let round = Float((0..<40).count { _ in random.uniform() < share })
            let bar = Float((0..<Int(40 - round)).count { _ in random.uniform() < 0.3 })
            vectors += [x, random.normal()]
            votes += [round, 40 - round, bar, 40 - round - bar]
        }
        let labels = labels(.tree(tree), votes)
        let split = LabelSplit(labels, testShare: 0.25, seed: 0)
        let features = MorphologyFeatures(vectors, width: 2)
        var settings = settings()
        (settings.steps, settings.dropout, settings.weightDecay) = (400, 0, 0)
        let result = try HeadTrainer(settings, features: features, labels: labels, reference: split.train).train(split)
        let logits = features.logits(result.head, split.test)
        let answers = split.test.indices.map {
            labels.target.answer(logits[($0 * 6)..<($0 * 6 + 6)], result.calibration)
        }
        let evaluation = MorphologyEvaluation(
            labels.target, answers: answers, truths: split.test.map { labels.value($0) },
            training: split.train.map { labels.value($0) }, bootstrap: Bootstrap(resamples: 20))
        let shape = evaluation.groups[0].metrics
        // 40 votes scatter by 0.08 at most about their expectation.
        #expect(shape["rmse"]!.value < 0.09 && shape["rmse_baseline"]!.value > 0.2)
        #expect(shape["dirichlet_log_likelihood"]!.value > shape["dirichlet_log_likelihood_baseline"]!.value + 0.5)
        #expect(
            answers[0].concentrations[0] + answers[0].concentrations[1] > 20, "votes scatter no more than by chance")
        for answer in answers {
            #expect(answer.parents[0] == 1 && abs(answer.parents[1] - answer.values[1]) < 1e-12)
            #expect(abs(answer.values[2] - 0.3) < 0.12)
        }
    }

    /// Bright and dark discs: the whole network learns, the learning rate of deeper blocks is lower, and its standardisation stays.
    @Test func aNetworkLearnsFromPixels() throws {
        var random = RandomNumbers(seed: 4)
        let (size, side, count) = (16, 18, 96)
        var pixels: [Float] = []
        let classes = (0..<count).map { $0 % 2 }
        for name in classes {
            let brightness: Float = name == 1 ? 0.5 : -0.5
            for _ in 0..<(3 * side * side) { pixels.append(random.normal() * 0.5 + brightness) }
        }
        let stamps = try StampsInMemory(pixels, channels: 3, side: side, size: size)
        let labels = labels(.classes(["dark", "bright"]), classes.map(Float.init))
        let split = LabelSplit(labels, testShare: 0.25, seed: 0)
        let vit = ViTConfiguration(imageSize: size, patchSize: 8, width: 32, depth: 2, heads: 2)
        let configuration = MorphologyConfiguration(
            target: labels.target, pooling: MorphologyPooling(layers: [2], statistics: [.classToken, .mean]),
            tokenWidth: 32, hidden: 0, members: 1, views: 1, backbone: vit)
        let network = try MorphologyNetwork(configuration, from: .random(seed: 1, on: CPUBackend(threads: 1)))
        var settings = NetworkSettings(epochs: 10, batchSize: 16, learningRate: 3e-3, views: 1, precision: .float32)
        settings.workers = 2
        let names = network.parameters.map(\.parameter)
        let factors = Dictionary(uniqueKeysWithValues: names.map { ($0.name, settings.factor(of: $0, depth: 2)) })
        #expect(factors["head.members.0.output.weight"] == 1 && factors["head.input_mean"] == 0)
        #expect(factors["backbone.blocks.1.mlp.fc1.weight"]! > factors["backbone.blocks.0.mlp.fc1.weight"]!)
        #expect(factors["backbone.blocks.0.mlp.fc1.weight"]! > factors["backbone.pos_embed"]!)
        let trainer = NetworkTrainer(settings, stamps: stamps, labels: labels)
        let result = try #require(try trainer.train(network, split, folder: nil) { _ in true })
        let logits = try trainer.logits(result.network, split.test)
        let right = split.test.enumerated().count { (logits[2 * $0 + 1] > logits[2 * $0]) == (classes[$1] == 1) }
        #expect(right >= split.test.count - 1)
    }

    @Test func fewLabelsBeginWithOneOfEachClass() throws {
        let values = [Float](repeating: 0, count: 40) + [Float](repeating: 1, count: 15) + [2, 2, 2, 2, 2]
        let labels = labels(.classes(["a", "b", "c"]), values)
        let split = try LabelEfficiencySplit(
            labels, counts: [2, 3, 20], seeds: 2, testShare: 0.4, pair: (["a"], ["c"]))
        for task in split.tasks {
            for order in task.orders {
                let first = order.prefix(task.classes.count).map { task.labels[$0] }
                #expect(first.sorted() == Array(task.classes.indices))
                #expect(Set(order).isDisjoint(with: task.test) && Set(order).count == order.count)
            }
            #expect(task.orders[0] != task.orders[1])
        }
        #expect(split.tasks[1].images.count == 45)
        let curve = LabelEfficiencyCurve(
            task: "t", method: "m", labels: [10, 100], auc: [[0.6, 0.8], [0.8, 1.0]])
        #expect(curve.labelsNeeded(for: 0.8).map { abs($0 - 31.6) < 0.1 } == true)
        #expect(curve.labelsNeeded(for: 0.95) == nil && curve.labelsNeeded(for: 0.5) == 10)
    }
}
