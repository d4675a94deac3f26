import ImageProcessing
import Tensors

/// Observations side by side, as tensors.
struct RestorationBatch {
    let side: Int
    private(set) var count = 0
    private var planes: [Float] = []
    private var target: [Float] = []
    /// Scale of each pixel over that of its stamp, root mean square; 0 where an unmasked artefact hides the light.
    private var importance: [Float] = []
    private var fineTarget: [Float] = []
    private var artefacts: [Float] = []

    init(side: Int) { self.side = side }

    mutating func add(_ observation: Observation) {
        let input = observation.input
        count += 1
        planes += input.planes
        for i in input.base.indices {
            // A pixel that cannot be known, such as a saturated core, must not outweigh all others.
            target.append(min(max((observation.truth[i] - input.base[i]) / input.scale[i], -40), 40))
            artefacts.append(observation.artefacts[i] ? 1 : 0)
        }
        let counted = input.scale.indices.map { i in
            observation.isHidden(i) ? 0 : input.scale[i]
        }
        let power = counted.reduce(0) { $0 + $1 * $1 } / Float(counted.count)
        importance += counted.map { $0 / max(power, 1e-9).squareRoot() }
        let truth = RestorationInput.withoutPixelMeans(observation.fineTruth, width: 2 * side)
        let expected = input.fineDetail
        for y in 0..<2 * side {
            for x in 0..<2 * side {
                let i = y * 2 * side + x
                // The detail of a pixel is its four parts: in units of a quarter of the scale.
                let difference = 4 * (truth[i] - expected[i]) / input.scale[(y / 2) * side + x / 2]
                fineTarget.append(min(max(difference, -40), 40))
            }
        }
    }

    func tensors(
        on backend: any Backend
    ) -> (planes: Tensor, target: Tensor, importance: Tensor, fineTarget: Tensor, artefacts: Tensor) {
        (
            Tensor(planes, shape: [count, RestorationInput.channels, side, side], on: backend),
            Tensor(target, shape: [count, 1, side, side], on: backend),
            Tensor(importance, shape: [count, 1, side, side], on: backend),
            Tensor(fineTarget, shape: [count, 1, 2 * side, 2 * side], on: backend),
            Tensor(artefacts, shape: [count, 1, side, side], on: backend)
        )
    }
}
