import Tensors

/// Which stamp stands where in the run, and the random numbers that belong to it.
///
/// Everything is a function of the seed and the position of the sample in the run (counter-based generators), so a run
/// that is interrupted and resumed sees the same stamps in the same views, and a checkpoint needs to store the step only.
struct SampleOrder {
    /// Purposes with a stream each, in the upper bits of the stream's number.
    private enum Purpose: UInt64 {
        case order = 1
        case augmentation = 2
        case mask = 3
    }

    let seed: UInt64
    /// Number of stamps.
    let count: Int
    private var epoch = -1
    private var permutation: [Int] = []

    init(seed: UInt64, count: Int) {
        self.seed = seed
        self.count = count
    }

    /// The stamp at a position of the run: each epoch goes through all stamps in an order of its own.
    mutating func stamp(at position: Int) -> Int {
        if position / count != epoch {
            epoch = position / count
            var random = generator(.order, epoch)
            permutation = random.permutation(count)
        }
        return permutation[position % count]
    }

    /// Random numbers for the view of the sample at a position.
    func augmentation(at position: Int) -> RandomNumbers { generator(.augmentation, position) }

    /// Random numbers for the mask of the sample at a position.
    func mask(at position: Int) -> RandomNumbers { generator(.mask, position) }

    private func generator(_ purpose: Purpose, _ index: Int) -> RandomNumbers {
        RandomNumbers(seed: seed, stream: purpose.rawValue << 56 | UInt64(index))
    }
}
