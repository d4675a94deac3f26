import ActiveLearning
import Tensors
import Testing
import Training

@Suite struct SimulationTests {
    @Test func theQualityOfAnomalyScoresIsThatOfScikitLearn() {
        // average_precision_score([1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.2, 0.1]) = (1 + 2/3) / 2; roc_auc_score = 5/6.
        let quality = AnomalySimulation.quality([0.9, 0.8, 0.7, 0.2, 0.1], [true, false, true, false, false])
        #expect(abs(quality.auprc - 5.0 / 6) < 1e-12)
        #expect(abs(quality.auroc - 5.0 / 6) < 1e-12)
        #expect(quality.precisionInTop == 1)
    }

    @Test func answersToAGoalLieOnTheLineBetweenMeasuredNumbers() {
        let answers = LoopSimulation.answers(counts: [10, 100, 1000], mean: [0.7, 0.8, 0.9], goal: 0.85)
        #expect(abs(answers! - 316.2278) < 1e-3)
        #expect(LoopSimulation.answers(counts: [10, 100], mean: [0.7, 0.8], goal: 0.9) == nil)
        #expect(LoopSimulation.answers(counts: [10, 100], mean: [0.95, 0.99], goal: 0.9) == 10)
    }

    @Test func aSimulatedPersonTeachesTheModelAndSeedsRepeat() throws {
        var random = RandomNumbers(seed: 2)
        let labels = (0..<300).map { $0 % 3 }
        let values = labels.flatMap { label in
            (0..<6).map { channel in
                Float(random.integer(below: 1000)) / 500 + (channel == label ? 0.8 : 0)
            }
        }
        let simulation = LoopSimulation(
            features: MorphologyFeatures(values, width: 6), labels: labels, classes: ["a", "b", "c"],
            counts: [6, 20, 60], error: 0.05, testShare: 0.3)
        let mixes = [("random", try StrategyMix("random")), ("margin", try StrategyMix("margin"))]
        let runs = try simulation.run(mixes.map { (name: $0.0, mix: $0.1) }, seeds: 2, workers: 2) { _ in }
        #expect(runs.count == 4)
        for run in runs { #expect(run.auc[2] > 0.75 && run.auc[2] > run.auc[0]) }
        // All strategies begin with the same answers; another seed with others.
        #expect(runs[0].auc[0] == runs[1].auc[0] && runs[0].auc[0] != runs[2].auc[0])
        let again = try simulation.run(mixes.map { (name: $0.0, mix: $0.1) }, seeds: 2, workers: 1) { _ in }
        #expect(again.map(\.auc) == runs.map(\.auc))
    }
}
