import ActiveLearning
import Foundation
import TestSupport
import Testing
import Training

@Suite struct StrategyTests {
    @Test func uncertaintyIsThatOfTheDefinitions() {
        let sure = [[1.0, 0.0], [1.0, 0.0]]
        let unsure = [[0.5, 0.5], [0.5, 0.5]]
        let quarrel = [[1.0, 0.0], [0.0, 1.0]]
        for kind in Uncertainty.allCases { #expect(abs(kind.value(sure)) < 1e-12) }
        #expect(abs(Uncertainty.entropy.value(unsure) - log(2)) < 1e-12)
        #expect(abs(Uncertainty.margin.value(unsure) - 1) < 1e-12)
        // Members that all doubt have nothing to tell each other; members that contradict have.
        #expect(abs(Uncertainty.bald.value(unsure)) < 1e-12)
        #expect(abs(Uncertainty.bald.value(quarrel) - log(2)) < 1e-12)
        #expect(abs(Uncertainty.margin.value([[0.5, 0.3, 0.2]]) - 0.8) < 1e-12)
    }

    @Test func theCoreSetTakesOneObjectOfEachGroupFirst() {
        // Three groups of ten on a line at 0, 100 and 1000.
        let values = (0..<30).map { Float([0, 100, 1000][$0 % 3]) + Float($0) * 0.1 }
        let chosen = CoreSet(MorphologyFeatures(values, width: 1)).choose(3, among: Array(0..<30), labelled: [])
        #expect(Set(chosen.map { $0.row % 3 }) == [0, 1, 2])
        // Its radius is at most twice the best: here the best cover of three centers has a radius of at most 1.5.
        let radius = (0..<30).map { row in chosen.map { abs(values[row] - values[$0.row]) }.min()! }.max()!
        #expect(radius <= 3)
        let more = CoreSet(MorphologyFeatures(values, width: 1)).choose(1, among: Array(0..<30), labelled: [0, 1])
        #expect(more[0].row % 3 == 2)
    }

    @Test func sharesAreKeptAtEveryLengthAndTheControlSampleIsRandom() throws {
        let mix = try StrategyMix("outliers=0.5,margin=0.25,random=0.25")
        let rows = Array(0..<1000)
        let order = mix.interleave([.outliers: rows, .margin: rows.reversed()], count: 200, rows: rows, seed: 3)
        #expect(order.count == 200 && Set(order.map(\.row)).count == 200)
        for length in stride(from: 20, through: 200, by: 20) {
            let part = order.prefix(length)
            for (strategy, share) in mix.shares {
                let expected = share * Double(length)
                #expect(abs(Double(part.count { $0.strategy == strategy }) - expected) <= 1.5)
            }
        }
        // The control sample does not depend on what the other strategies prefer.
        let other = mix.interleave([.outliers: rows.reversed(), .margin: rows], count: 200, rows: rows, seed: 3)
        let control = order.filter { $0.strategy == .random }.map(\.row)
        #expect(control == other.filter { $0.strategy == .random }.map(\.row))
        #expect(control.count == 50 && abs(control.reduce(0, +) / 50 - 500) < 150)
        #expect(throws: ActiveLearningError.self) { try StrategyMix("outlier") }
        #expect(throws: ActiveLearningError.self) { try StrategyMix("random=-1") }
    }

    @Test func aMixWhoseSourcesRunDryGoesOnWithTheOthers() throws {
        let mix = try StrategyMix("outliers,margin")
        let order = mix.interleave([.outliers: [5], .margin: Array(0..<10)], count: 10, rows: Array(0..<10), seed: 0)
        #expect(Set(order.map(\.row)) == Set(0..<10))
        #expect(order.filter { $0.strategy == .outliers }.map(\.row) == [5])
    }

    @Test func interestGoesToNeighboursOfWhatPeopleLiked() throws {
        // Two groups far apart: people liked the first and not the second; a third is unknown.
        let values: [Float] = [0, 0.1, 0.2, 10, 10.1, 10.2, 30]
        let feedback = try RelevanceFeedback(
            MorphologyFeatures(values, width: 1), interest: [(0, 5), (1, 5), (3, 0), (4, 0)])
        #expect(feedback.predict(2).interest > 3.5)
        #expect(feedback.predict(5).interest < 1.5)
        func score(_ row: Int) -> Double {
            let (interest, nearest) = feedback.predict(row)
            return RelevanceFeedback.combined(score: 1, interest: interest, distance: nearest, scale: feedback.length)
        }
        #expect(score(2) > score(5))
        #expect(score(6) > 0.99)
        // At no distance tanh(atanh(u)) = u: the score is the utility.
        #expect(abs(RelevanceFeedback.combined(score: 2, interest: 5, distance: 0, scale: 1) - 1.9) < 1e-9)
    }

    @Test func theSystemOfEquationsIsSolved() {
        var matrix = [4.0, 1, 0, 1, 3, 1, 0, 1, 2]
        let x = RelevanceFeedback.solve(&matrix, [6, 10, 8])
        for (value, expected) in zip(x, [1.0, 2, 3]) { #expect(abs(value - expected) < 1e-12) }
    }
}
