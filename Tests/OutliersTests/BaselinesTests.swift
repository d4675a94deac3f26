import Foundation
import TestSupport
import Testing

@testable import Outliers

/// Fitted methods beside scikit-learn's on the same vectors (benchmarks/outliers/baselines_fixture.py).
@Suite("Outlier baselines")
struct BaselinesTests {
    struct Reference: Decodable {
        var width: Int
        var outliers: Int
        var values: [Float]
        var forest: [Double]
        var forestAUCs: [Double]
        var pcaVariances: [Double]
        var pcaRatios: [Double]
        var pcaErrors: [Double]
        var cosine: [Double]

        var vectors: VectorSet { VectorSet(count: values.count / width, width: width, values: values) }
    }

    let reference: Reference
    init() throws { reference = try fixture("outlier_baselines.json", as: Reference.self) }

    /// Ranks from 0; no ties in what is compared here.
    static func ranks(_ values: [Double]) -> [Double] {
        var ranks = [Double](repeating: 0, count: values.count)
        for (rank, index) in values.indices.sorted(by: { values[$0] < values[$1] }).enumerated() {
            ranks[index] = Double(rank)
        }
        return ranks
    }

    static func correlation(_ a: [Double], _ b: [Double]) -> Double {
        let (meanA, meanB) = (a.reduce(0, +) / Double(a.count), b.reduce(0, +) / Double(b.count))
        let product = zip(a, b).reduce(0) { $0 + ($1.0 - meanA) * ($1.1 - meanB) }
        let squares =
            a.reduce(0) { $0 + ($1 - meanA) * ($1 - meanA) } * b.reduce(0) { $0 + ($1 - meanB) * ($1 - meanB) }
        return product / squares.squareRoot()
    }

    /// Of the first `outliers` vectors against the rest.
    static func areaUnderCurve(_ scores: [Double], outliers: Int) -> Double {
        let ranks = ranks(scores)
        let sum = ranks.prefix(outliers).reduce(0) { $0 + $1 + 1 }
        return (sum - Double(outliers * (outliers + 1)) / 2) / Double(outliers * (scores.count - outliers))
    }

    @Test("an isolation forest scores as scikit-learn's does")
    func forest() throws {
        let vectors = reference.vectors
        let scores = try (0..<10).map { try IsolationForest(fitting: vectors, seed: $0).scores(vectors) }
        let mean = vectors.values.indices.prefix(vectors.count).map { i in scores.reduce(0) { $0 + $1[i] } / 10 }
        // Two means of 10 forests of scikit-learn have a rank correlation of 0.9964 to 0.9976, and differ by at most 0.017:
        // here three times as far from 1, and twice as much.
        #expect(Self.correlation(Self.ranks(mean), Self.ranks(reference.forest)) > 0.99)
        let largest = zip(mean, reference.forest).map { abs($0 - $1) }.max() ?? .nan
        #expect(largest < 0.034)
        let areas = scores.map { Self.areaUnderCurve($0, outliers: reference.outliers) }
        let ours = areas.reduce(0, +) / 10
        let theirs = reference.forestAUCs.reduce(0, +) / 10
        let spread = (reference.forestAUCs.reduce(0) { $0 + ($1 - theirs) * ($1 - theirs) } / 9).squareRoot()
        #expect(abs(ours - theirs) < 4 * spread * (2.0 / 10).squareRoot())
    }

    @Test("the same seed grows the same forest, from any vectors but those that are not finite")
    func forestSeeds() throws {
        let vectors = reference.vectors
        let scores = try IsolationForest(fitting: vectors, seed: 3).scores(vectors)
        #expect(try IsolationForest(fitting: vectors, seed: 3).scores(vectors) == scores)
        #expect(try IsolationForest(fitting: vectors, seed: 4).scores(vectors) != scores)
        let broken = VectorSet(
            count: vectors.count + 1, width: vectors.width,
            values: vectors.values + [Float](repeating: .nan, count: vectors.width))
        let forest = try IsolationForest(fitting: broken, seed: 3)
        #expect(try forest.scores(vectors) == scores)
        #expect(try forest.scores(broken).last?.isNaN == true)
    }

    @Test("vectors that are all the same are equally usual")
    func constant() throws {
        let same = VectorSet(count: 10, width: 2, values: [Float](repeating: 1, count: 20))
        #expect(Set(try IsolationForest(fitting: same).scores(same)).count == 1)
        let errors = try PrincipalComponents(fitting: same, components: 1).scores(same)
        #expect(errors.allSatisfy { $0 == 0 })
    }

    @Test("principal components have scikit-learn's variances and reconstruction errors")
    func components() throws {
        let vectors = reference.vectors
        let fitted = try PrincipalComponents(fitting: vectors, components: 3)
        #expect(fitted.count == 3)
        for (ours, theirs) in zip(fitted.variances, reference.pcaVariances) { #expect(abs(ours / theirs - 1) < 1e-5) }
        for (ours, theirs) in zip(fitted.explainedVarianceRatio, reference.pcaRatios) {
            #expect(abs(ours / theirs - 1) < 1e-5)
        }
        // Numbers of up to 10 rounded to float32 are reconstructed to 1e-5, which the square of a small error feels.
        for (ours, theirs) in zip(try fitted.scores(vectors), reference.pcaErrors) {
            #expect(abs(ours - theirs) < 1e-4 * theirs + 1e-6)
        }
    }

    @Test("more columns than vectors: as many components as vectors span, and they reconstruct them")
    func fewVectors() throws {
        let wide = SimulatedClusters(count: 8, width: 40).vectors()
        let fitted = try PrincipalComponents(fitting: wide, components: 20)
        #expect(fitted.count == 7)
        #expect(abs(fitted.explainedVarianceRatio.reduce(0, +) - 1) < 1e-5)
        #expect(try fitted.scores(wide).allSatisfy { $0 < 1e-9 })
    }

    @Test("mean cosine distance to 10 neighbours is scikit-learn's")
    func cosine() throws {
        let scorer = try KNNScorer(k: 10, metric: .cosine, reference: reference.vectors)
        for (ours, theirs) in zip(scorer.selfScores(), reference.cosine) { #expect(abs(ours - theirs) < 1e-5 * theirs) }
    }

    @Test("a method from its file scores as before")
    func files() throws {
        let vectors = reference.vectors
        try withTemporaryFolder { folder in
            func check<Scorer: StoredScorer>(_ scorer: Scorer) throws {
                let path = folder + "/" + scorer.name
                try scorer.save(to: path)
                let scores = try Scorer(path: path).scores(vectors)
                #expect(try scores == scorer.scores(vectors))
            }
            try check(IsolationForest(fitting: vectors, trees: 10))
            try check(PrincipalComponents(fitting: vectors, components: 2))
            try check(KNNScorer(k: 3, standardise: true, reference: vectors))
            #expect { try PrincipalComponents(path: folder + "/isolation-forest") } throws: {
                ($0 as? OutlierError)?.kind == .invalidFile
            }
        }
    }

    @Test("bad input is named")
    func badInput() throws {
        let vectors = reference.vectors
        let narrow = VectorSet(count: 1, width: 2, values: [0, 0])
        let scorers: [any OutlierScorer] = [
            try IsolationForest(fitting: vectors, trees: 2), try PrincipalComponents(fitting: vectors, components: 2),
            try KNNScorer(k: 2, reference: vectors),
        ]
        let defect = VectorSet(count: 1, width: vectors.width, values: [.nan, 0, 0, 0, 0, 0])
        for scorer in scorers {
            #expect { try scorer.scores(narrow) } throws: { ($0 as? OutlierError)?.kind == .widthMismatch }
            #expect(try scorer.scores(defect)[0].isNaN, "\(scorer.name)")
        }
        let empty = VectorSet(count: 2, width: 2, values: [0, 0, .nan, 0])
        let few: (any Error) -> Bool = { ($0 as? OutlierError)?.kind == .tooFewVectors }
        #expect { try IsolationForest(fitting: empty) } throws: { few($0) }
        #expect { try PrincipalComponents(fitting: empty, components: 1) } throws: { few($0) }
        #expect { try KNNScorer(k: 1, reference: empty) } throws: { few($0) }
    }
}
