public import Tensors

/// Which patches of a batch of images a masked autoencoder sees.
public struct PatchMask: Sendable {
    /// Number of images.
    public let batch: Int
    /// Patches of an image.
    public let patches: Int
    /// Indices of the visible patches, the same number for each image, ascending.
    public let visible: [Int32]

    /// Visible patches of an image.
    public var visibleCount: Int { visible.count / max(batch, 1) }

    /// Hides a share of the patches, each image by its own generator.
    ///
    /// At least one patch stays visible and at least one is hidden.
    public static func random(patches: Int, ratio: Float, _ generators: [RandomNumbers]) -> PatchMask {
        let hidden = min(max(Int((Float(patches) * ratio).rounded()), 1), patches - 1)
        let visible = generators.flatMap { generator in
            var generator = generator
            return generator.permutation(patches).prefix(patches - hidden).sorted().map(Int32.init)
        }
        return PatchMask(batch: generators.count, patches: patches, visible: visible)
    }

    /// Indices of the visible patches, (batch, visibleCount) int32.
    func visibleIndices(on backend: any Backend) -> Tensor {
        Tensor(indices: visible, shape: [batch, visibleCount], on: backend)
    }

    /// 1 for hidden patches and 0 for visible ones, (batch, patches) float32.
    func hidden(on backend: any Backend) -> Tensor {
        var values = [Float](repeating: 1, count: batch * patches)
        for (position, index) in visible.enumerated() { values[position / visibleCount * patches + Int(index)] = 0 }
        return Tensor(values, shape: [batch, patches], on: backend)
    }
}
