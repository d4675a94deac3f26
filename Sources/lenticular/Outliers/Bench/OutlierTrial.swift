import Datasets
import Foundation
import Inference
import Models
import Outliers
import Tensors
import Training

/// One seed of one set: inliers and outliers drawn, networks trained, all methods at all contaminations.
struct OutlierTrial {
    struct Settings {
        var methods: [OutlierMethod]
        var contaminations: [Double]
        /// At which networks are trained, and the one of tables and pictures.
        var primary = 0.05
        var inliers: Int
        var epochs: Double
        /// Views whose latent vectors are averaged.
        var views: Int
        /// Neighbours of the tables.
        var k = 10
        var largestK = 50
        var workers: Int
        /// Train a network for each contamination, and not at the primary one only.
        var retrains = false
    }

    /// Scores at the primary contamination, for what follows: pictures and what dominates.
    struct Primary {
        /// Places in the pool.
        var rows: [Int]
        var scores: [OutlierMethod: [Double]]
    }

    let set: OutlierSet
    let pool: OutlierPool
    let embedder: Embedder
    let settings: Settings
    let seed: Int

    /// - Parameter report: called with each method's name.
    func run(_ report: (String) -> Void) throws -> (
        measurements: [OutlierMeasurement], sweep: [OutlierMethod: [Double]], primary: Primary
    ) {
        var random = RandomNumbers(seed: UInt64(seed), stream: 0x7472_6961)
        let inliers = random.permutation(pool.inliers).prefix(min(settings.inliers, pool.inliers * 9 / 10)).sorted()
        let outliers = random.permutation(pool.outliers).map { pool.inliers + $0 }
        var measurements: [OutlierMeasurement] = []
        var sweep: [OutlierMethod: [Double]] = [:]
        var primary = Primary(rows: inliers, scores: [:])
        func mixture(_ contamination: Double) -> [Int] {
            inliers + outliers.prefix(Self.outliers(contamination, inliers: inliers.count))
        }
        let levels = settings.contaminations.filter {
            Self.outliers($0, inliers: inliers.count) <= pool.outliers
        }
        // A class with too few outliers for the primary contamination has as many as there are.
        primary.rows = mixture(settings.primary)
        for method in settings.methods {
            report(method.rawValue)
            var prepared: Prepared?
            for level in Set(levels + [settings.primary]).sorted() {
                let rows = mixture(level)
                let isPrimary = level == settings.primary
                if prepared == nil || settings.retrains && method.space == .latent {
                    prepared = try prepare(
                        method, training: settings.retrains ? rows : primary.rows,
                        all: mixture(max(settings.primary, levels.max() ?? 0)))
                }
                let isOutlier = rows.map { $0 >= pool.inliers }
                let clock = ContinuousClock()
                let start = clock.now
                let found = try scores(method, prepared!.vectors(of: rows))
                let search = (clock.now - start) / .seconds(1)
                let ranked = RankedScores(found.scores, isOutlier: isOutlier)
                measurements.append(
                    OutlierMeasurement(
                        set: set.name, method: method, seed: seed, contamination: level,
                        k: method.scoresByNeighbours ? settings.k : 0, inliers: inliers.count,
                        outliers: rows.count - inliers.count, recall: ranked.recall,
                        recallTop1: ranked.recall(top: 0.01), recallTop2: ranked.recall(top: 0.02),
                        recallTop5: ranked.recall(top: 0.05),
                        area: ROCCurve(scores: found.scores, positives: isOutlier).area(),
                        training: prepared!.training, encoding: prepared!.encodingEach * Double(rows.count),
                        search: search))
                guard isPrimary else { continue }
                primary.scores[method] = found.scores
                sweep[method] = found.byK.map { RankedScores($0, isOutlier: isOutlier).recall }
            }
        }
        return (measurements, sweep, primary)
    }

    static func outliers(_ contamination: Double, inliers: Int) -> Int {
        max(1, Int((contamination / (1 - contamination) * Double(inliers)).rounded()))
    }

    // MARK: - Vectors

    private struct Prepared {
        var vectors: VectorSet
        var place: [Int: Int]
        var training = 0.0
        /// Seconds a stamp.
        var encodingEach = 0.0

        func vectors(of rows: [Int]) -> VectorSet {
            let width = vectors.width
            return VectorSet(
                count: rows.count, width: width,
                values: rows.flatMap { vectors.values[(place[$0]! * width)..<((place[$0]! + 1) * width)] })
        }
    }

    private func prepare(_ method: OutlierMethod, training: [Int], all: [Int]) throws -> Prepared {
        let clock = ContinuousClock()
        let start = clock.now
        func seconds() -> Double { (clock.now - start) / .seconds(1) }
        let places = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1, $0) })
        if method.space == .embedding {
            return Prepared(
                vectors: subset(pool.embeddings, all), place: places, encodingEach: pool.embeddingSeconds)
        }
        let own = subset(pool.raw, training).values
        let normalization = AutoencoderStamps.fitted(to: own)
        let stamps = AutoencoderStamps.normalise(subset(pool.raw, all).values, normalization)
        let vectors = VectorSet(count: all.count, width: pool.raw.width, values: stamps)
        guard let kind = method.autoencoder else { return Prepared(vectors: vectors, place: places) }
        let source = try StampsInMemory(
            AutoencoderStamps.normalise(own, normalization), channels: normalization.channels,
            side: normalization.size, size: normalization.size, augmentation: AutoencoderTrainer.augmentation)
        var trainer = try AutoencoderTrainer(
            AutoencoderSettings(
                kind, epochs: settings.epochs, minimumSteps: 1, batchSize: 32, seed: UInt64(seed),
                workers: settings.workers), stamps: source)
        let network = try trainer.run()
        let trained = seconds()
        let each = (0..<all.count).map { Array(stamps[($0 * pool.raw.width)..<(($0 + 1) * pool.raw.width)]) }
        let latent = try OutlierPool.vectors(
            each, .autoencoder(network, normalization, views: settings.views), workers: settings.workers)
        return Prepared(
            vectors: latent, place: places, training: trained,
            encodingEach: (seconds() - trained) / Double(all.count))
    }

    private func subset(_ vectors: VectorSet, _ rows: [Int]) -> VectorSet {
        let width = vectors.width
        return VectorSet(
            count: rows.count, width: width,
            values: rows.flatMap { vectors.values[($0 * width)..<(($0 + 1) * width)] })
    }

    // MARK: - Scores

    /// Scores at the table's k, and at every k from 1 to the largest where the method has neighbours.
    private func scores(
        _ method: OutlierMethod, _ vectors: VectorSet
    ) throws -> (scores: [Double], byK: [[Double]]) {
        let own = OutlierSettings(method, k: settings.k, seed: UInt64(seed))
        guard method.scoresByNeighbours else {
            return (try FittedOutliers.scorer(own, archive: vectors)?.scores(vectors) ?? [], [])
        }
        let rows = try KNNScorer(
            k: min(settings.largestK, vectors.count - 1), metric: own.metric, reference: vectors
        ).selfNeighbours()
        let byK = (1...min(settings.largestK, vectors.count - 1)).map { k in
            rows.map { $0.distances.prefix(k).reduce(0, +) / Double(k) }
        }
        return (byK[settings.k - 1], byK)
    }
}
