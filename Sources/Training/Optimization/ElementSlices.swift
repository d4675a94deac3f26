import Tensors

/// The elements of a list of tensors in slices of about equal length, to share among threads: a network has tensors of a hundred
/// and of a million elements. The slices depend on the shapes only.
struct ElementSlices {
    private var slices: [(tensor: Int, range: Range<Int>)] = []

    /// Elements of a slice: 64 KiB of float32 numbers, so that a slice of a sum stays in the second-level cache.
    private static let length = 16_384

    init(_ tensors: [Tensor]) {
        for (index, tensor) in tensors.enumerated() {
            for first in stride(from: 0, to: tensor.count, by: Self.length) {
                slices.append((index, first..<min(first + Self.length, tensor.count)))
            }
        }
    }

    var count: Int { slices.count }

    subscript(index: Int) -> (tensor: Int, range: Range<Int>) { slices[index] }
}
