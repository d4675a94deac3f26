import Models
public import Tensors

/// How well frozen embeddings tell classes apart: the judge of a pre-trained backbone.
///
/// Nothing of the backbone is trained here, so the accuracy measures what the embedding itself holds.
public struct EmbeddingProbe {
    /// Number of labelled rows.
    public let count: Int
    public let width: Int
    public let classCount: Int
    private let rows: [Float]
    private let labels: [Int]
    private let backend: any Backend

    /// - Parameters:
    ///   - embeddings: count × width numbers, finite.
    ///   - labels: class 0, 1, … of each row.
    public init(_ embeddings: [Float], width: Int, labels: [Int], on backend: any Backend) throws(TrainingError) {
        guard width > 0, labels.count > 1, embeddings.count == labels.count * width, labels.allSatisfy({ $0 >= 0 })
        else {
            throw TrainingError(
                .invalidConfiguration,
                reason: "\(embeddings.count) numbers are not \(labels.count) embeddings of width \(width)")
        }
        count = labels.count
        self.width = width
        self.labels = labels
        self.backend = backend
        classCount = labels.max()! + 1
        rows = embeddings
    }

    /// Share of the rows whose label is the most frequent among their `neighbours` nearest other rows (leave one out),
    /// by the cosine of the angle between embeddings from which the mean was subtracted. Ties go to the lower class.
    public func nearestNeighbourAccuracy(neighbours: Int = 15) -> Double {
        let k = min(neighbours, count - 1)
        let (unit, block) = (directions(), 512)
        let all = Tensor(unit, shape: [count, width], on: backend)
        var correct = 0
        for start in stride(from: 0, to: count, by: block) {
            let end = min(start + block, count)
            let cosines = all.slice(axis: 0, start..<end).matmul(all, transposingOther: true).floats()
            for row in start..<end {
                let offset = (row - start) * count
                // The k largest so far, the smallest of them last.
                var best: [(cosine: Float, label: Int)] = []
                for other in 0..<count where other != row {
                    let cosine = cosines[offset + other]
                    if best.count == k && cosine <= best[k - 1].cosine { continue }
                    let place = best.firstIndex { $0.cosine < cosine } ?? best.count
                    best.insert((cosine, labels[other]), at: place)
                    if best.count > k { best.removeLast() }
                }
                var votes = [Int](repeating: 0, count: classCount)
                for neighbour in best { votes[neighbour.label] += 1 }
                if votes.firstIndex(of: votes.max()!)! == labels[row] { correct += 1 }
            }
        }
        return Double(correct) / Double(count)
    }

    /// Accuracy of a linear classifier on rows it was not trained on.
    ///
    /// Multinomial logistic regression on standardised channels, by AdamW on all training rows at once.
    /// - Parameters:
    ///   - testShare: part of the rows, chosen by `seed`, that is held out.
    ///   - steps: of the optimiser.
    public func linearAccuracy(testShare: Double = 0.3, seed: UInt64 = 0, steps: Int = 300) -> Double {
        var random = RandomNumbers(seed: seed)
        let order = random.permutation(count)
        let testCount = min(max(1, Int(Double(count) * testShare)), count - 1)
        let (test, train) = (Array(order[..<testCount]), Array(order[testCount...]))
        let standardised = standardise(by: train)
        func matrix(_ indices: [Int]) -> Tensor {
            Tensor(
                indices.flatMap { standardised[($0 * width)..<(($0 + 1) * width)] }, shape: [indices.count, width],
                on: backend)
        }
        let (x, y) = (
            matrix(train), Tensor(indices: train.map { Int32(labels[$0]) }, shape: [train.count], on: backend)
        )
        let layer = Linear(width, classCount, from: .random(seed: seed, on: backend))
        layer.weight.fill(0)
        var optimizer = AdamW(layer, AdamW.Settings(weightDecay: 0.1))
        let parallel = DataParallel(workers: 1)
        let schedule = LearningRateSchedule(peak: 0.02, warmupSteps: 10, totalSteps: steps)
        for step in 1...steps {
            let tape = Tape()
            var watched = layer
            watched.watch(on: tape)
            let gradients = tape.gradients(of: watched(x).crossEntropy(labels: y))
            optimizer.update(
                layer.parameters.map { gradients[$0.tensor]! }, learningRate: schedule.rate(atStep: step),
                pool: parallel.pool)
        }
        let logits = layer(matrix(test)).floats()
        var correct = 0
        for (row, index) in test.enumerated() {
            let scores = Array(logits[(row * classCount)..<((row + 1) * classCount)])
            if scores.firstIndex(of: scores.max()!) == labels[index] { correct += 1 }
        }
        return Double(correct) / Double(test.count)
    }

    /// Rows minus their mean, scaled to length 1.
    private func directions() -> [Float] {
        let mean = moments(of: Array(0..<count)).mean
        var unit = rows
        for row in 0..<count {
            var square: Float = 0
            for channel in 0..<width {
                unit[row * width + channel] -= mean[channel]
                square += unit[row * width + channel] * unit[row * width + channel]
            }
            let scale = square > 0 ? 1 / square.squareRoot() : 0
            for channel in 0..<width { unit[row * width + channel] *= scale }
        }
        return unit
    }

    /// Rows whose channels have mean 0 and variance 1 over the given ones.
    private func standardise(by indices: [Int]) -> [Float] {
        let (mean, deviation) = moments(of: indices)
        var result = rows
        for row in 0..<count {
            for channel in 0..<width {
                let value = (result[row * width + channel] - mean[channel]) / max(deviation[channel], 1e-6)
                result[row * width + channel] = value
            }
        }
        return result
    }

    private func moments(of indices: [Int]) -> (mean: [Float], deviation: [Float]) {
        var (sum, squares) = ([Double](repeating: 0, count: width), [Double](repeating: 0, count: width))
        for row in indices {
            for channel in 0..<width {
                let value = Double(rows[row * width + channel])
                sum[channel] += value
                squares[channel] += value * value
            }
        }
        let number = Double(indices.count)
        let mean = sum.map { $0 / number }
        let deviation = zip(squares, mean).map { max(0, $0 / number - $1 * $1).squareRoot() }
        return (mean.map(Float.init), deviation.map(Float.init))
    }
}
